"""What can be wrong with a learn job: each ends it with a sentence of its own, leaves nothing half
done, and the same worker carries out the next job.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from modelsheet import errors
from modelsheet.api.describe_images import DescribeRequest, DescribeResult
from modelsheet.api.learn import LearnRequest, TrainingOverrides
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.validation import Validator
from modelsheet.prompts.captions import PromptTemplate
from modelsheet.subjects.record import SubjectRecord, write_record
from modelsheet.subjects.store import ADAPTER, SubjectStore
from modelsheet.worker.runner import Worker
from tests.diffusion.training.test_learning_session import Context, learn_request


@dataclass(frozen=True)
class Wrong:
    """`changes` are of the request, `spoil` is done to the data folder before."""

    error: type[errors.ModelsheetError]
    sentence: str
    changes: dict[str, Any] = field(default_factory=dict)
    pictures: list[Image.Image] | None = None
    spoil: Callable[[Path], None] | None = None
    directive: str = "run"
    largest_file: int | None = None


def _remove_text_encoder(home: Path) -> None:
    shutil.rmtree(home / "models" / "sd15" / "text_encoder")


def _unet(home: Path) -> Path:
    return home / "models" / "sd15" / "unet" / "diffusion_pytorch_model.safetensors"


def _put_pickle(home: Path) -> None:
    _unet(home).write_bytes(pickle.dumps({"weight": [1.0] * 4000}))


def _cut_off(home: Path) -> None:
    _unet(home).write_bytes(_unet(home).read_bytes()[:-1000])


def _fill_with_nan(file: Path, part: str) -> None:
    weights = load_file(file)
    for name in weights:
        if part in name:
            weights[name] = torch.full_like(weights[name], torch.nan)
    save_file({name: value.clone() for name, value in weights.items()}, file)


def _spoil_unet(home: Path) -> None:
    _fill_with_nan(_unet(home), "mid_block")


def _spoil_autoencoder(home: Path) -> None:
    folder = home / "models" / "sd15" / "vae"
    _fill_with_nan(folder / "diffusion_pytorch_model.safetensors", "encoder.conv_in")


def _leave_out(file: Path, part: str) -> None:
    kept = {name: value for name, value in load_file(file).items() if part not in name}
    save_file(kept, file)


def _hole_in_unet(home: Path) -> None:
    _leave_out(_unet(home), "mid_block.attentions.0.proj_in.weight")


def _hole_in_text_encoder(home: Path) -> None:
    _leave_out(home / "models" / "sd15" / "text_encoder" / "model.safetensors", "0.mlp.fc1.weight")


def _spoil_decoder(home: Path) -> None:
    folder = home / "models" / "sd15" / "vae"
    _fill_with_nan(folder / "diffusion_pytorch_model.safetensors", "decoder.conv_in")


def _spoil_eyes(home: Path) -> None:
    _fill_with_nan(home / "models" / "sd15" / "image_encoder" / "model.safetensors", "0.mlp")


def _take_identifier(home: Path) -> None:
    store = SubjectStore(home)
    staging = store.stage("0a")
    (staging / ADAPTER).write_bytes(b"")
    fields = {"base_model": "sd15", "preset": "quick", "seed": 0, "training_steps": 1}
    record = SubjectRecord(
        id="0a", name="Other", class_noun="cat", identifier="tak", created=0.0, references=[],
        captions=[], best_step=1, adapter_sha256="0" * 64, curve=[], warnings=[], **fields,
    )  # fmt: skip
    write_record(staging, record)
    store.publish(staging, "0a")


def _overrides(**numbers: Any) -> dict[str, Any]:
    return {"overrides": TrainingOverrides(**{"training_steps": 4, **numbers})}


WRONG = {
    "an empty layer": Wrong(
        errors.InvalidImages, "is empty", pictures=[Image.new("RGBA", (48, 48))]
    ),
    "captions for other pictures": Wrong(
        errors.InvalidRequest, "2 captions for 3 pictures", {"captions": ["a", "b"]}
    ),
    "no class noun": Wrong(errors.InvalidClassNoun, "Say in a word", {"class_noun": " "}),
    "an unknown class noun": Wrong(
        errors.InvalidClassNoun,
        "take a general one",
        {"class_noun": "zorbflax", "base_model": "sprite32"},
    ),
    "the write-up's identifier": Wrong(
        errors.InvalidIdentifier, r"tokens.*Use '", {"identifier": "ktn"}
    ),
    "a common word as identifier": Wrong(
        errors.InvalidIdentifier, "is a word.*Use '", {"identifier": "robe"}
    ),
    "an identifier in use": Wrong(
        errors.InvalidIdentifier,
        "names another subject",
        {"identifier": "tak"},
        spoil=_take_identifier,
    ),
    "an identifier that is no word": Wrong(
        errors.InvalidIdentifier, "other characters", {"identifier": "<s1>"}
    ),
    "an unknown base model": Wrong(errors.NotFound, "no base model", {"base_model": "sd99"}),
    "a base model that is not here": Wrong(
        errors.ModelMissing,
        "sd15",
        spoil=lambda home: shutil.rmtree(home / "models" / "sd15"),
    ),
    "a base without a text encoder": Wrong(
        errors.ModelMissing, "text_encoder", spoil=_remove_text_encoder
    ),
    "a pickle named .safetensors": Wrong(errors.UnsafeModel, "safetensors", spoil=_put_pickle),
    "a truncated safetensors file": Wrong(errors.UnsafeModel, "cut off", spoil=_cut_off),
    "a UNet that lacks a weight": Wrong(
        errors.UnsafeModel, "lacks the weight mid_block", spoil=_hole_in_unet
    ),
    "a text encoder that lacks a weight": Wrong(
        errors.UnsafeModel, "lacks the weight encoder.layers.0.mlp", spoil=_hole_in_text_encoder
    ),
    "NaN in a layer of the UNet": Wrong(
        errors.UnsafeModel, "numbers that are none .* in its unet", spoil=_spoil_unet
    ),
    "NaN in a layer of the autoencoder": Wrong(
        errors.UnsafeModel, "numbers that are none .* in its vae, encoder", spoil=_spoil_autoencoder
    ),
    "NaN in the half of the autoencoder that paints": Wrong(
        errors.UnsafeModel, "numbers that are none .* in its vae, decoder", spoil=_spoil_decoder
    ),
    "NaN in a layer of the image encoder": Wrong(
        errors.UnsafeModel, "image encoder .* damaged", spoil=_spoil_eyes
    ),
    "a learning rate that diverges": Wrong(
        errors.LearningDiverged,
        "lower learning rate",
        _overrides(training_steps=40, unet_learning_rate=10.0, warm_up_steps=0),
    ),
    "a full disk at a checkpoint": Wrong(
        errors.DiskFull, "Free some disk space", directive="yield", largest_file=40_000
    ),
    "a full disk at the end": Wrong(errors.DiskFull, "Free some disk space", largest_file=40_000),
}


@pytest.fixture
def home(data_dir: Path, tmp_path: Path) -> Path:
    """A data folder with a tiny SD 1.5 that may be spoilt, and a sound SDXL."""
    shutil.copytree(data_dir / "models" / "sd15", tmp_path / "models" / "sd15")
    (tmp_path / "models" / "sdxl").symlink_to(data_dir / "models" / "sdxl")
    return tmp_path


@pytest.mark.parametrize("case", WRONG)
def test_a_bad_input_ends_its_job_alone(home: Path, pictures: list[Image.Image], case: str) -> None:
    wrong = WRONG[case]
    if wrong.spoil:
        wrong.spoil(home)
    worker = Worker(home, torch.device("cpu"))
    context = Context(home, "b0", stop_at=2, directive=wrong.directive)
    shown = wrong.pictures or pictures
    changes: dict[str, Any] = {**_overrides(), **wrong.changes}
    request: LearnRequest = learn_request(context, shown, **changes)
    known = [subject.id for subject in context.store.list()]

    with file_size_limit(wrong.largest_file), pytest.raises(wrong.error, match=wrong.sentence):
        worker.run(request, context)

    assert not (context.staging_dir / "subject.json").exists()
    assert [folder.name for folder in context.checkpoint_dir.glob("[0-9.]*")] == []
    assert [subject.id for subject in context.store.list()] == known
    goes_on(worker, home, pictures)


def test_an_adapter_that_is_no_numbers_any_more_is_not_kept(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    shape = AdapterShape(rank=2, text_encoder_rank=0, feed_forward=False, convolutions=False)
    adapter = TrainableAdapter(sd15, shape, seed=0)
    try:
        validator = Validator(sd15, adapter, PromptTemplate("qzw", "cat", "sd15"), pictures, None)
        for weight in adapter.parameters("unet"):
            weight.data.fill_(torch.nan)

        with pytest.raises(errors.LearningDiverged, match="by step 7.*lower learning rate"):
            validator.validate(7)
    finally:
        adapter.detach()


def test_a_layer_of_another_size_than_it_says_is_refused(
    home: Path, pictures: list[Image.Image]
) -> None:
    worker, context = Worker(home, torch.device("cpu")), Context(home, "b0")
    request = learn_request(context, pictures)
    cut = request.images[0].model_copy(update={"height": 47})

    with pytest.raises(errors.InvalidImages, match="Send the layer again"):
        worker.run(request.model_copy(update={"images": [cut]}), context)

    goes_on(worker, home, pictures)


def goes_on(worker: Worker, home: Path, pictures: list[Image.Image]) -> None:
    """The next job of the queue, on a sound base model."""
    context = Context(home, "c0")
    images = [context.send(picture) for picture in pictures]
    said = worker.run(DescribeRequest(base_model="sdxl", images=images), context)
    assert isinstance(said, DescribeResult)
    assert len(said.identifiers) == 5


@contextmanager
def file_size_limit(largest: int | None) -> Iterator[None]:
    """Let the system refuse files beyond a size, as it does on a full disk."""
    if largest is None:
        yield
        return
    resource = pytest.importorskip("resource", reason="only Unix limits the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
