"""One subject from start to end on tiny SD 1.5 and SDXL, through the worker and its job context."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open

from modelsheet.api.describe_images import DescribeRequest, DescribeResult
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import Progress
from modelsheet.api.learn import LearnRequest, LearnResult, TrainingOverrides
from modelsheet.api.types import ImageRef
from modelsheet.base_models.user_models import UserModel, add_model, remove_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.identifier_embedding import read_embeddings
from modelsheet.diffusion.training import learning_session, validation
from modelsheet.diffusion.training.dataset import Instance
from modelsheet.diffusion.training.learning_session import LearningEnvironment, LearningSession
from modelsheet.errors import Cancelled, InvalidClassNoun, InvalidImages, ModelMissing
from modelsheet.imaging.rgba import from_bgra, to_bgra
from modelsheet.jobs.protocol import Directive, JobSuspended
from modelsheet.prompts.class_nouns import own_class_nouns
from modelsheet.subjects.record import SubjectRecord
from modelsheet.subjects.store import SubjectStore
from modelsheet.worker import learn_job
from modelsheet.worker.runner import Worker
from sprite_training.sprite32.tiles import TileSet
from tests.diffusion.tiny import write_sd15

BRIEF = TrainingOverrides(training_steps=4)


class Context:
    """A job context in memory: tells RUN until `stop_at` steps are done, then `directive`."""

    def __init__(
        self, data_dir: Path, job_id: str, *, stop_at: int = 0, directive: str = "run"
    ) -> None:
        self.job_id, self.owner = job_id, ""
        self.checkpoint_dir = data_dir / "jobs" / job_id
        self.checkpoint_dir.mkdir(parents=True, exist_ok=True)
        self.store = SubjectStore(data_dir)
        self.staging_dir = self.store.stage(job_id)
        self.said: list[Progress] = []
        self._stop_at, self._directive = stop_at, Directive(directive)
        self._blobs = data_dir / "blobs"
        self._blobs.mkdir(exist_ok=True)

    def progress(self, progress: Progress) -> None:
        self.said.append(progress)

    def directive(self) -> Directive:
        is_due = self._stop_at and self.said[-1].step >= self._stop_at
        return self._directive if is_due else Directive.RUN

    def read_blob(self, sha256: str) -> bytes:
        return (self._blobs / sha256).read_bytes()

    def write_blob(self, content: bytes) -> str:
        name = hashlib.sha256(content).hexdigest()
        (self._blobs / name).write_bytes(content)
        return name

    def send(self, picture: Image.Image, name: str = "") -> ImageRef:
        blob = self.write_blob(to_bgra(picture))
        return ImageRef(blob=blob, width=picture.width, height=picture.height, name=name)


@pytest.fixture(scope="module")
def worker(data_dir: Path) -> Worker:
    return Worker(data_dir, torch.device("cpu"))


def learn_request(context: Context, pictures: list[Image.Image], **changes: object) -> LearnRequest:
    images = [context.send(picture, f"Layer {n}") for n, picture in enumerate(pictures)]
    request = LearnRequest(
        name="Impy", class_noun="cat", base_model="sd15", images=images, overrides=BRIEF
    )
    return request.model_copy(update=changes)


def learn(worker: Worker, context: Context, request: LearnRequest) -> SubjectRecord:
    result = worker.run(request, context)
    assert isinstance(result, LearnResult)
    return context.store.publish(context.staging_dir, result.subject_id)


@pytest.mark.parametrize("base_model", ["sd15", "sdxl"])
def test_a_subject_is_learnt_and_painted(
    worker: Worker, data_dir: Path, pictures: list[Image.Image], base_model: str
) -> None:
    context = Context(data_dir, f"{'a' if base_model == 'sd15' else 'b'}0")
    request = learn_request(context, pictures, base_model=base_model, name=f"Hero {base_model}")

    subject = learn(worker, context, request)

    assert subject.base_model == base_model
    assert [point.step for point in subject.curve] == [0, 4]
    steps = [said.step for said in context.said if said.phase == "learning"]
    assert steps == [1, 2, 3, 4]
    assert len(context.said[-2].previews) == 2
    painted = worker.run(
        GenerateRequest(prompt=f"@hero_{base_model} in the snow", count=2, inference_steps=2),
        context,
    )
    assert isinstance(painted, GenerateResult)
    assert [image.seed for image in painted.images] == [0, 1]
    first = painted.images[0]
    assert first.width == first.height == 64
    assert len(context.read_blob(first.blob)) == 64 * 64 * 4


def test_a_learnt_subject_changes_what_its_prompt_paints(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "c0")
    overrides = TrainingOverrides(training_steps=8, unet_learning_rate=5e-2)
    learn(worker, context, learn_request(context, pictures, name="Strong", overrides=overrides))

    def painted(scale: float) -> np.ndarray:
        request = GenerateRequest(
            prompt="@strong", inference_steps=2, unet_scale=scale, text_encoder_scale=scale
        )
        result = worker.run(request, context)
        assert isinstance(result, GenerateResult)
        image = result.images[0]
        return np.asarray(from_bgra(context.read_blob(image.blob), image.width, image.height))

    assert np.array_equal(painted(0.0), painted(0.0))
    assert not np.array_equal(painted(0.0), painted(1.0))


def test_a_job_that_stepped_aside_ends_with_the_same_bytes(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    whole = Context(data_dir, "d0")
    request = learn_request(whole, pictures, name="Whole")
    worker.run(request, whole)

    for stop_at in (1, 3):
        with pytest.raises(JobSuspended):
            worker.run(request, Context(data_dir, "d1", stop_at=stop_at, directive="yield"))
        worker = Worker(data_dir, torch.device("cpu"))  # as after a crash
    resumed = Context(data_dir, "d1")
    worker.run(request, resumed)

    assert [said.step for said in resumed.said if said.phase == "learning"] == [4]
    adapters = [c.staging_dir / "adapter.safetensors" for c in (whole, resumed)]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def test_describing_meanwhile_neither_changes_learning_nor_ends_its_session(
    worker: Worker, data_dir: Path, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, context = Context(data_dir, "d2"), Context(data_dir, "d3", stop_at=2, directive="yield")
    overrides = TrainingOverrides(training_steps=4, unet_learning_rate=5e-2, pivotal=True)
    request = learn_request(whole, pictures, name="Whole", overrides=overrides)
    described = DescribeRequest(base_model="sd15", images=request.images)
    before = worker.run(described, whole)
    worker.run(request, whole)
    prepared: list[str] = []
    monkeypatch.setattr(learning_session, "encode_instances", _counting(prepared))

    with pytest.raises(JobSuspended):
        worker.run(request, context)
    meanwhile = worker.run(described, Context(data_dir, "d3a"))
    resumed = Context(data_dir, "d3")
    result = worker.run(request, resumed)

    assert meanwhile == before, "the adapter is off"
    assert len(prepared) == 1
    adapters = [c.staging_dir / "adapter.safetensors" for c in (whole, resumed)]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()
    assert isinstance(result, LearnResult)
    assert result.training_steps == 4


def _counting(calls: list[str]) -> Callable[..., list[Instance]]:
    encode = learning_session.encode_instances

    def encode_and_count(*arguments: Any, **options: Any) -> list[Instance]:
        calls.append("encode_instances")
        return encode(*arguments, **options)

    return encode_and_count


def test_painting_meanwhile_ends_the_session_and_paints_with_the_bare_base(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    request = GenerateRequest(prompt="a photo of a cat", base_model="sd15", inference_steps=2)
    context = Context(data_dir, "d6", stop_at=2, directive="yield")
    before = worker.run(request, context)
    overrides = TrainingOverrides(training_steps=4, unet_learning_rate=5e-2)

    with pytest.raises(JobSuspended):
        worker.run(learn_request(context, pictures, overrides=overrides), context)

    meanwhile = worker.run(request, context)
    assert isinstance(before, GenerateResult)
    assert isinstance(meanwhile, GenerateResult)
    assert [i.blob for i in meanwhile.images] == [i.blob for i in before.images]


@pytest.mark.parametrize(("directive", "error"), [("yield", JobSuspended), ("cancel", Cancelled)])
def test_describing_gives_way_and_can_be_cancelled(
    worker: Worker,
    data_dir: Path,
    pictures: list[Image.Image],
    directive: str,
    error: type[Exception],
) -> None:
    context = Context(data_dir, f"d7{directive[0]}")
    images = [context.send(picture) for picture in pictures]
    context.directive = lambda: Directive(directive)  # type: ignore[method-assign]

    with pytest.raises(error):
        worker.run(DescribeRequest(base_model="sd15", images=images), context)


def test_the_seconds_of_all_runs_count_and_not_those_of_waiting(
    data_dir: Path, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=1.0)  # each look at it takes a second
    monkeypatch.setattr(learn_job.time, "monotonic", lambda: next(clock))
    whole, context = Context(data_dir, "d8"), Context(data_dir, "d9", stop_at=3, directive="yield")
    request = learn_request(whole, pictures)
    uninterrupted = Worker(data_dir, torch.device("cpu")).run(request, whole)
    with pytest.raises(JobSuspended):
        Worker(data_dir, torch.device("cpu")).run(request, context)
    for _ in range(1000):
        next(clock)  # it waits

    resumed = Worker(data_dir, torch.device("cpu")).run(request, Context(data_dir, "d9"))

    assert isinstance(uninterrupted, LearnResult)
    assert isinstance(resumed, LearnResult)
    assert uninterrupted.seconds <= resumed.seconds < uninterrupted.seconds + 20


def test_the_time_limit_is_one_for_all_runs_of_a_job(
    data_dir: Path, pictures: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(step=60.0)  # each look at it takes a minute, and the limit is an hour
    monkeypatch.setattr(learn_job.time, "monotonic", lambda: next(clock))
    whole, context = Context(data_dir, "da"), Context(data_dir, "db", stop_at=5, directive="yield")
    overrides = TrainingOverrides(training_steps=60)
    request = learn_request(whole, pictures, preset="write-up", overrides=overrides)
    uninterrupted = Worker(data_dir, torch.device("cpu")).run(request, whole)
    with pytest.raises(JobSuspended):
        Worker(data_dir, torch.device("cpu")).run(request, context)

    resumed = Worker(data_dir, torch.device("cpu")).run(request, Context(data_dir, "db"))

    assert isinstance(uninterrupted, LearnResult)
    assert isinstance(resumed, LearnResult)
    assert 5 < resumed.training_steps <= uninterrupted.training_steps < 60


def test_class_pictures_make_way_and_the_adapter_has_the_same_bytes(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    overrides = TrainingOverrides(training_steps=2, prior="class-images")
    whole, disturbed = Context(data_dir, "d4"), Context(data_dir, "d5")
    request = learn_request(whole, pictures, class_noun="dog", overrides=overrides)
    worker.run(request, whole)
    shutil.rmtree(data_dir / "cache")

    attempts = 0
    while not disturbed.said or disturbed.said[-1].phase != "saving":
        disturbed = Context(data_dir, "d5", stop_at=1, directive="yield")
        attempts += 1
        with contextlib.suppress(JobSuspended):
            worker.run(request, disturbed)
        if attempts == 1:
            assert disturbed.said[-1].phase == "painting class pictures"
            assert disturbed.said[-1].step == 1

    batches, steps = 3, 2
    assert attempts <= 2 * batches + steps + 1
    adapters = [c.staging_dir / "adapter.safetensors" for c in (whole, disturbed)]
    assert adapters[0].read_bytes() == adapters[1].read_bytes()


def test_cancel_stops_at_the_next_step(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "e0", stop_at=2, directive="cancel")

    with pytest.raises(Cancelled):
        worker.run(learn_request(context, pictures), context)

    assert context.said[-1].step == 2
    assert not (context.staging_dir / "subject.json").exists()


def test_finish_ends_a_job_as_done_with_the_best_so_far(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "e1", stop_at=2, directive="finish")
    overrides = TrainingOverrides(training_steps=50)

    subject = learn(worker, context, learn_request(context, pictures, overrides=overrides))

    assert subject.training_steps == 2
    assert [point.step for point in subject.curve] == [0, 2]
    assert subject.best_step == 2


@pytest.mark.parametrize(
    ("scores", "kept"),
    [
        ([0.2, 0.70, 0.69, 0.685, 0.66], 6),
        ([0.2, 0.70, 0.60, 0.60, 0.60], 2),
        ([0.2, 0.5, 0.6, 0.7, 0.8], 8),
        ([0.9, 0.5, 0.6, 0.7, 0.8], 8),
    ],
    ids=["alike", "falling", "rising", "never as good as before"],
)
def test_of_steps_that_score_alike_the_last_is_kept(
    worker: Worker,
    data_dir: Path,
    pictures: list[Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    scores: list[float],
    kept: int,
) -> None:
    following = iter(scores)
    monkeypatch.setattr(validation, "selection_score", lambda *facts: next(following))
    monkeypatch.setattr(learning_session, "validation_interval", lambda hyperparameters, family: 2)
    context = Context(data_dir, f"e8{kept}{scores[0]:.0f}")
    request = learn_request(context, pictures, overrides=TrainingOverrides(training_steps=8))

    subject = learn(worker, context, request)

    assert [point.score for point in subject.curve] == scores
    assert subject.best_step == kept
    assert subject.report is not None
    assert subject.report.best is not None
    assert subject.report.best.step == kept
    assert subject.report.before == subject.curve[0]


def test_the_write_up_s_preset_says_what_was_wrong_with_it(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "e2")
    request = learn_request(context, pictures, name="As written", preset="write-up")

    subject = learn(worker, context, request)

    assert subject.identifier == "ktn"
    assert subject.report is not None
    assert subject.report.kept_step == 4
    assert subject.report.final == subject.curve[-1]
    assert set(subject.report.change) == {"unet", "text_encoder"}
    assert "'ktn' is no name of its own" in subject.report.findings[-1]


def test_without_a_clip_it_learns_to_the_end_and_says_so(
    data_dir: Path, tmp_path: Path, pictures: list[Image.Image]
) -> None:
    tiles = TileSet.load(data_dir / "tiles.zip")
    write_sd15(tmp_path / "models" / "sd15", tiles, has_eyes=False)
    context = Context(tmp_path, "e3")
    blind = Worker(tmp_path, torch.device("cpu"))

    subject = learn(blind, context, learn_request(context, pictures))

    assert subject.curve == []
    assert subject.best_step == subject.training_steps == 4
    assert "Likeness was not measured" in subject.warnings[-1]
    assert len(context.said[-2].previews) == 2


def test_an_identifier_learnt_too_lies_in_the_adapter(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "e5")
    overrides = TrainingOverrides(training_steps=2, pivotal=True, prior="class-images")

    subject = learn(worker, context, learn_request(context, pictures, overrides=overrides))

    assert len(read_embeddings(context.store.adapter_path(subject.id))) == 1
    assert any(said.phase == "painting class pictures" for said in context.said)


def test_a_job_leaves_the_base_bit_for_bit_as_it_was(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    def painted(number: int) -> list[str]:
        request = GenerateRequest(prompt="a photo of a cat", base_model="sd15", inference_steps=2)
        result = worker.run(request, Context(data_dir, f"e7{number}"))
        assert isinstance(result, GenerateResult)
        return [image.blob for image in result.images]

    before = painted(0)
    context = Context(data_dir, "e6")
    overrides = TrainingOverrides(training_steps=2, pivotal=True, convolutions=True)
    worker.run(learn_request(context, pictures, overrides=overrides), context)

    assert painted(1) == before


@pytest.mark.parametrize("pivotal", [False, True])
def test_a_session_that_fails_half_way_leaves_the_base_as_it_was(
    sd15: BaseModel,
    tmp_path: Path,
    pictures: list[Image.Image],
    monkeypatch: pytest.MonkeyPatch,
    pivotal: bool,
) -> None:
    def state() -> dict[str, torch.Tensor]:
        modules = {"unet": sd15.unet, "text_encoder": sd15.text_encoders[0]}
        return {
            f"{name}.{key}": value.clone()
            for name, module in modules.items()
            for key, value in module.state_dict().items()
        }

    def fail(folder: Path) -> None:
        assert any("lora" in key for key in state()), "the adapter is attached by then"
        raise OSError("unreadable")

    monkeypatch.setattr(learning_session, "newest_checkpoint", fail)
    before, hooks = state(), len(sd15.text_encoders[0].get_input_embeddings()._forward_hooks)
    images = [ImageRef(blob="0" * 64, width=p.width, height=p.height) for p in pictures]
    overrides = TrainingOverrides(training_steps=2, pivotal=pivotal, prior="none")
    request = LearnRequest(
        name="Imp", class_noun="cat", base_model="sd15", images=images, overrides=overrides
    )
    environment = LearningEnvironment((), (), tmp_path / "cache", None)
    opened = LearningSession(sd15, request, pictures, tmp_path, environment)

    with pytest.raises(OSError, match="unreadable"), opened:
        opened.prepare()

    after = state()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], value) for key, value in before.items())
    assert len(sd15.text_encoders[0].get_input_embeddings()._forward_hooks) == hooks


def test_a_session_is_made_without_touching_disk_or_base(
    sd15: BaseModel, tmp_path: Path, pictures: list[Image.Image]
) -> None:
    images = [ImageRef(blob="0" * 64, width=p.width, height=p.height) for p in pictures]
    request = LearnRequest(name="Imp", class_noun="cat", base_model="sd15", images=images)
    environment = LearningEnvironment((), (), tmp_path / "cache", None)

    made = LearningSession(sd15, request, pictures, tmp_path / "work", environment)

    assert made.hyperparameters.training_steps > 0
    assert not list(tmp_path.iterdir())


def test_an_everyday_noun_is_learnt_as_the_nearest_and_that_is_said(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "f0")
    request = learn_request(context, pictures, class_noun="Лисичка", name="Fox")

    subject = learn(worker, context, request)

    assert subject.class_noun == "fox"
    assert "“лисичка” was learnt as “fox”, the nearest noun that sd15 knows." in subject.warnings


def test_sprite32_learns_its_own_nouns_and_those_the_artist_added(
    tmp_path: Path, pictures: list[Image.Image]
) -> None:
    worker, context = Worker(tmp_path, torch.device("cpu")), Context(tmp_path, "f1")
    brief = TrainingOverrides(training_steps=1, prior="none")
    request = learn_request(
        context, pictures, class_noun="old zorbflax", base_model="sprite32", overrides=brief
    )

    with pytest.raises(InvalidClassNoun, match="sprite32 has nothing near to 'old zorbflax'"):
        worker.run(request, context)
    (tmp_path / "class_nouns.txt").write_text("Zorbflax\n")

    assert learn(worker, context, request).class_noun == "old zorbflax"


@pytest.mark.parametrize("encoding", ["utf-16", "cp1251"])
def test_own_nouns_that_are_no_utf_8_are_refused_in_a_sentence(
    worker: Worker, data_dir: Path, pictures: list[Image.Image], encoding: str
) -> None:
    nouns = data_dir / "class_nouns.txt"
    nouns.write_bytes("кот\n".encode(encoding))
    context = Context(data_dir, "f1")
    try:
        with pytest.raises(InvalidClassNoun, match="Save it as UTF-8"):
            worker.run(learn_request(context, pictures), context)
    finally:
        nouns.unlink()


def test_own_nouns_may_begin_with_windows_mark(tmp_path: Path) -> None:
    (tmp_path / "class_nouns.txt").write_bytes(b"\xef\xbb\xbfFlorb\r\n\r\n old  gnome \r\n")

    assert own_class_nouns(tmp_path) == ["florb", "old gnome"]


def test_another_model_under_a_name_is_loaded_anew(data_dir: Path, tmp_path: Path) -> None:
    folder, home = tmp_path / "mine", tmp_path / "home"
    shutil.copytree(data_dir / "models" / "sd15", folder)
    add_model(home, UserModel(id="mine", path=str(folder)), taken=[])
    worker, context = Worker(home, torch.device("cpu")), Context(home, "a0")
    request = GenerateRequest(prompt="a cat", base_model="mine", inference_steps=2, seed=1)

    before = worker.run(request, context)
    remove_model(home, "mine")
    added = UserModel(id="mine", path=str(folder), prediction_type="v_prediction")
    add_model(home, added, taken=[])
    after = worker.run(request, context)

    assert isinstance(before, GenerateResult)
    assert isinstance(after, GenerateResult)
    assert before.images[0].blob != after.images[0].blob
    shutil.rmtree(folder)
    with pytest.raises(ModelMissing, match="no longer there"):
        worker.run(request, context)


def test_an_empty_layer_ends_the_job_with_a_sentence(worker: Worker, data_dir: Path) -> None:
    context = Context(data_dir, "f2")

    with pytest.raises(InvalidImages, match="Picture 1 of 1 is empty"):
        worker.run(learn_request(context, [Image.new("RGBA", (8, 8))]), context)


def test_a_missing_base_model_says_where_to_put_it(tmp_path: Path) -> None:
    lonely = Worker(tmp_path, torch.device("cpu"))
    context = Context(tmp_path, "a0")

    with pytest.raises(ModelMissing, match="models/sd15"):
        lonely.run(GenerateRequest(prompt="a cat", base_model="sd15"), context)


def test_pictures_are_described(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    context = Context(data_dir, "f3")
    images = [context.send(picture) for picture in pictures]

    said = worker.run(DescribeRequest(base_model="sd15", images=images), context)

    assert isinstance(said, DescribeResult)
    assert len(said.identifiers) == 5
    assert len(said.class_nouns) <= 1
    assert all(guess.probability >= 0.5 for guess in said.class_nouns)


@pytest.mark.parametrize(("base_model", "noun"), [("sd15", "cat"), ("sprite32", "wolf")])
def test_the_prepared_pictures_are_those_that_are_learnt(
    worker: Worker, data_dir: Path, pictures: list[Image.Image], base_model: str, noun: str
) -> None:
    context = Context(data_dir, "d7" if base_model == "sd15" else "d8")
    request = learn_request(
        context,
        [picture.resize((140, 180)) for picture in pictures],
        base_model=base_model,
        class_noun=noun,
        overrides=TrainingOverrides(training_steps=1, own_decoder=False),
    )
    asked = DescribeRequest(
        base_model=base_model, images=request.images, nouns=False, prepared=True
    )

    said = worker.run(asked, context)
    subject = learn(worker, context, request)

    assert isinstance(said, DescribeResult)
    assert not said.class_nouns
    assert not said.identifiers
    folder = context.store.folder(subject.id) / "references"
    learnt = [to_bgra(Image.open(file)) for file in sorted(folder.glob("*.png"))]
    assert [context.read_blob(each.blob) for each in said.prepared] == learnt
    assert all(each.drawn_width > 32 for each in said.prepared)
    assert "fine detail is lost" in subject.warnings[0]
    measured = "drawn." if base_model == "sprite32" else "learnt."
    assert subject.warnings[1].endswith(measured)
    last = subject.curve[-1]
    assert last.likeness is not None
    is_pixels = last.likeness != max(0.0, last.subject_fidelity)
    assert is_pixels == (base_model == "sprite32")


def test_an_adapter_loads_in_plain_diffusers(
    worker: Worker, data_dir: Path, pictures: list[Image.Image]
) -> None:
    from diffusers import StableDiffusionPipeline

    context = Context(data_dir, "f4")
    subject = learn(worker, context, learn_request(context, pictures, name="Plain"))
    file = context.store.adapter_path(subject.id)

    pipeline = StableDiffusionPipeline.from_pretrained(data_dir / "models" / "sd15")
    pipeline.load_lora_weights(file.parent, weight_name=file.name)

    with safe_open(file, "pt") as content:
        modules = {key.rsplit(".lora", 1)[0] for key in content.keys()}  # noqa: SIM118
    loaded = {
        f"unet.{name}" for name, part in pipeline.unet.named_modules() if hasattr(part, "lora_A")
    }
    assert loaded == {name for name in modules if name.startswith("unet.")}
