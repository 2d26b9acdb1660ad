"""The loop: deterministic by seed, resumable to the byte, harmless to the base, honest when it
fails.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from diffusers.training_utils import compute_snr
from PIL import Image

from modelsheet.api.learn import PriorKind, TrainingOverrides
from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion
from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.models.clip_encoders import load_clip
from modelsheet.diffusion.models.hyperparameters import AdapterShape, Hyperparameters
from modelsheet.diffusion.models.identifier_embedding import IdentifierEmbedding
from modelsheet.diffusion.training import identifier
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import Batch, PriorExamples
from modelsheet.diffusion.training.checkpoint import TrainingCheckpoint
from modelsheet.diffusion.training.dataset import encode_instances, prepare_pictures
from modelsheet.diffusion.training.optimizer import rate_factor
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.recorded_step import Graphs
from modelsheet.diffusion.training.trainer import Trainer
from modelsheet.diffusion.training.validation import Validator
from modelsheet.errors import LearningDiverged, UnsafeModel
from modelsheet.prompts.captions import PromptTemplate, class_prompts
from tests.diffusion.conftest import Tiny

SHAPE = AdapterShape(rank=2, text_encoder_rank=2, feed_forward=True, convolutions=True)
HYPERPARAMETERS = replace(
    hyperparameters_for("sd15", "quick", TrainingOverrides()),
    training_steps=6,
    batch=2,
    prior_batch=2,
    unet_learning_rate=1e-2,
    text_encoder_learning_rate=1e-2,
    shape=SHAPE,
    warm_up_steps=0,
)

with_every_prior = pytest.mark.parametrize("prior", ["none", "no-images", "class-images"])
with_and_without_text_encoder = pytest.mark.parametrize("text_rank", [0, 2])


def make_trainer(
    base: BaseModel,
    pictures: list[Image.Image],
    hyperparameters: Hyperparameters,
    graphs: Graphs | None = None,
) -> Trainer:
    naming = PromptTemplate("qzw", "imp", base.family)
    prepared = prepare_pictures(pictures, base)
    instances = encode_instances(prepared, [""] * len(pictures), naming, base)
    prompts = list(class_prompts(naming))
    latents = None
    if hyperparameters.prior == "class-images":
        shape = (len(prompts), *instances[0].latents.shape)
        latents = torch.randn(shape, generator=torch.Generator().manual_seed(5))
    word = identifier.candidates(base)[0]
    rows = (
        IdentifierEmbedding.from_class_noun(base, word, "imp") if hyperparameters.pivotal else None
    )
    adapter = TrainableAdapter(base, hyperparameters.shape, seed=3, rows=rows)
    examples = PriorExamples(prompts, latents)
    return Trainer(base, adapter, instances, examples, hyperparameters, seed=3, graphs=graphs)


def learnt(
    base: BaseModel,
    pictures: list[Image.Image],
    hyperparameters: Hyperparameters,
    *,
    stop_at: int = 0,
    graphs: Graphs | None = None,
) -> dict[str, torch.Tensor]:
    """The adapter after all steps; with `stop_at`, through a checkpoint and a fresh start there."""
    try:
        trainer = make_trainer(base, pictures, hyperparameters, graphs)
        steps = trainer.steps()
        if stop_at:
            for _ in range(stop_at):
                next(steps)
            tensors, position = trainer.snapshot()
            trainer.adapter.detach()
            trainer = make_trainer(base, pictures, hyperparameters, graphs)
            trainer.restore(TrainingCheckpoint(stop_at, tensors, position))
            steps = trainer.steps()
        for _ in steps:
            pass
        return trainer.adapter.state()
    finally:
        base.pipeline.unload_lora_weights()


@pytest.fixture
def two_threads_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the halves of a batch be computed at once."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.usefixtures("two_threads_allowed")
@with_every_prior
@with_and_without_text_encoder
@pytest.mark.parametrize("batch", [1, 2])
def test_every_kind_of_loop_is_deterministic_and_resumes_to_the_byte(
    sd15: BaseModel, pictures: list[Image.Image], prior: PriorKind, text_rank: int, batch: int
) -> None:
    shape = replace(SHAPE, text_encoder_rank=text_rank)
    hyperparameters = replace(
        HYPERPARAMETERS, prior=prior, batch=batch, shape=shape, training_steps=4
    )

    whole = learnt(sd15, pictures, hyperparameters)

    assert same(whole, learnt(sd15, pictures, hyperparameters))
    assert same(whole, learnt(sd15, pictures, hyperparameters, stop_at=2))


@pytest.mark.parametrize(
    "changes",
    [
        {"accumulation": 2},
        {"optimizer": "prodigy", "unet_learning_rate": 1.0},
        {"pivotal": True},
        {"pivotal": True, "shape": replace(SHAPE, text_encoder_rank=0)},
        {"caption_dropout": 0.5, "snr_gamma": None, "masked": False},
    ],
    ids=["accumulation", "prodigy", "pivotal", "pivotal-unet-only", "plain"],
)
def test_every_option_is_deterministic_and_resumes_to_the_byte(
    sd15: BaseModel, pictures: list[Image.Image], changes: dict[str, Any]
) -> None:
    hyperparameters = replace(HYPERPARAMETERS, training_steps=4, **changes)

    whole = learnt(sd15, pictures, hyperparameters)

    assert same(whole, learnt(sd15, pictures, hyperparameters, stop_at=2))


def test_sdxl_learns_through_both_text_encoders(
    sdxl: BaseModel, pictures: list[Image.Image]
) -> None:
    whole = learnt(sdxl, pictures, HYPERPARAMETERS)

    modules = {key.split(".")[0] for key in whole}
    assert modules == {"unet", "text_encoder", "text_encoder_2"}
    assert same(whole, learnt(sdxl, pictures, HYPERPARAMETERS, stop_at=3))


def test_every_part_of_the_adapter_moves(sd15: BaseModel, pictures: list[Image.Image]) -> None:
    untouched = learnt(sd15, pictures, replace(HYPERPARAMETERS, training_steps=0))

    moved = learnt(sd15, pictures, HYPERPARAMETERS)

    # The penultimate text layer's last block may see no gradient. The UNet's all do, but where a
    # picture this small is a single token, which attends to itself whatever its query.
    still = [key for key in moved if torch.equal(moved[key], untouched[key])]
    alone = re.compile(r"unet\.mid_block\..*attn1\.to_[qk]\.lora_B")
    assert [key for key in still if key.startswith("unet.") and not alone.match(key)] == []
    assert {value.dtype for value in moved.values()} == {torch.float32}


def test_the_base_gives_bit_for_bit_what_it_gave_before(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    def prediction() -> torch.Tensor:
        generator = torch.Generator().manual_seed(0)
        latents = torch.randn(1, 4, 8, 8, generator=generator)
        with torch.no_grad():
            embeds = sd15.encode_prompts(["a photo of imp"])
            return sd15.predict(latents, torch.tensor([500]), embeds)

    before = prediction()
    trainer = make_trainer(sd15, pictures, HYPERPARAMETERS)
    try:
        list(trainer.steps())
        tuned = prediction()
        with trainer.adapter.off():
            off = prediction()
    finally:
        trainer.adapter.detach()

    assert not torch.equal(tuned, before)
    assert torch.equal(off, before)
    assert torch.equal(prediction(), before)


def test_the_no_image_prior_is_zero_before_the_first_step(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    trainer = make_trainer(sd15, pictures, replace(HYPERPARAMETERS, prior="no-images"))
    try:
        reports = list(trainer.steps())
    finally:
        trainer.adapter.detach()

    assert reports[0].prior_loss == pytest.approx(0.0, abs=1e-10)  # LoRA starts as no change
    assert reports[-1].prior_loss > 1e-6


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction", "zero-snr"])
@pytest.mark.parametrize("batch", [1, 2, 5])
@with_and_without_text_encoder
@with_every_prior
def test_a_step_s_losses_are_those_of_diffusers_formulas(
    tiny: Tiny,
    pictures: list[Image.Image],
    kind: str,
    batch: int,
    text_rank: int,
    prior: PriorKind,
) -> None:
    is_zero = kind == "zero-snr"
    base = tiny("v_prediction" if is_zero else kind, is_zero)
    shape = replace(SHAPE, text_encoder_rank=text_rank)
    hyperparameters = replace(
        HYPERPARAMETERS,
        prior=prior,
        batch=batch,
        prior_batch=1 if prior != "none" else 0,
        shape=shape,
    )
    trainer = make_trainer(base, pictures, replace(hyperparameters, prior_loss_weight=3.0))
    try:
        stir(trainer)
        drawn, drawn_prior = trainer.sampler.draw()
        with torch.no_grad():
            losses = [
                float(loss) for loss in trainer._losses(drawn, drawn_prior, trainer.conditioning)
            ]
            by_hand = dreambooth_losses(trainer, drawn, drawn_prior)
    finally:
        trainer.adapter.detach()

    assert losses == pytest.approx(by_hand, rel=1e-4, abs=1e-7)


def stir(trainer: Trainer) -> None:
    """Make the adapter do something, as it does after some steps."""
    generator = torch.Generator().manual_seed(0)
    for name in trainer.adapter.names:
        for parameter in trainer.adapter.parameters(name):
            parameter.data += 0.1 * torch.randn(parameter.shape, generator=generator)


def dreambooth_losses(trainer: Trainer, drawn: Batch, prior: Batch | None) -> list[float]:
    """Sample by sample, with diffusers' scheduler and its compute_snr."""
    base, scheduler = trainer.base, trainer.base.noise_scheduler

    def said(batch: Batch, row: int) -> torch.Tensor:
        noisy = scheduler.add_noise(batch.latents, batch.noise, batch.timesteps)[row : row + 1]
        hidden = base.pipeline.encode_prompt([batch.prompts[row]], base.device, 1, False)[0]
        return base.unet(noisy, batch.timesteps[row], hidden).sample[0]

    def loss(batch: Batch, row: int) -> float:
        target = batch.noise
        ratio = float(compute_snr(scheduler, batch.timesteps)[row])
        divisor = ratio
        if scheduler.config.prediction_type == "v_prediction":
            target = scheduler.get_velocity(batch.latents, batch.noise, batch.timesteps)
            divisor = ratio + 1
        squares = (said(batch, row) - target[row]) ** 2
        mask = torch.ones(1, 8, 8) if batch.mask is None else batch.mask[row]
        mean = float((squares * mask).sum() / (mask.sum() * len(squares)))
        if scheduler.config.rescale_betas_zero_snr:  # the last step must not lose all its weight
            return mean * min(ratio + 1, 5.0) / (ratio + 1)
        return mean * min(ratio, 5.0) / divisor

    instance = sum(loss(drawn, row) for row in range(len(drawn.prompts))) / len(drawn.prompts)
    if prior is None:
        return [instance, 0.0]
    if trainer.hyperparameters.prior == "class-images":
        return [instance, 3.0 * loss(prior, 0)]
    tuned = said(prior, 0)
    with trainer.adapter.off():
        original = said(prior, 0)
    return [instance, 3.0 * float(((tuned - original) ** 2).mean())]


def test_accumulated_batches_are_one_large_batch(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    hyperparameters = replace(
        HYPERPARAMETERS, batch=2, prior_batch=1, accumulation=2, caption_dropout=0.0
    )
    trainer = make_trainer(sd15, pictures, hyperparameters)
    try:
        drawn = [trainer.sampler.draw() for _ in range(2)]
        trainer._accumulate(drawn)
        added = gradient(trainer)
        trainer.optimizer.zero_grad()
        losses = [sum(trainer._losses(*each, trainer.conditioning)) for each in drawn]
        (sum(losses) / 2).backward()
        whole = gradient(trainer)
    finally:
        trainer.adapter.detach()

    assert [prior is not None and len(prior.prompts) for _, prior in drawn] == [1, 1]
    torch.testing.assert_close(added, whole)


@with_every_prior
@with_and_without_text_encoder
@pytest.mark.parametrize("batch", [2, 5])
def test_the_halves_of_a_batch_are_computed_by_two_threads(
    sd15: BaseModel,
    pictures: list[Image.Image],
    prior: PriorKind,
    text_rank: int,
    batch: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shape = replace(SHAPE, text_encoder_rank=text_rank)
    hyperparameters = replace(HYPERPARAMETERS, shape=shape, prior=prior, batch=batch)
    threads: list[set[int]] = []
    predict = type(sd15).predict

    def note(*arguments: Any) -> torch.Tensor:
        threads[-1].add(threading.get_ident())
        return predict(*arguments)

    monkeypatch.setattr(type(sd15), "predict", note)
    trainer = make_trainer(sd15, pictures, hyperparameters)
    losses, gradients = [], []
    try:
        drawn = trainer.sampler.draw()
        for cores in (1, 2, 2):
            monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
            threads.append(set())
            trainer.optimizer.zero_grad()
            losses.append(trainer._accumulate([drawn]))
            gradients.append([p.grad for p in trainer._parameters()])
    finally:
        trainer.adapter.detach()

    assert [len(each) for each in threads] == [1, 2, 2]
    assert losses[1] == losses[2] == pytest.approx(losses[0], rel=1e-4)
    assert any(bool(each.any()) for each in gradients[0])
    for whole, halved, again in zip(*gradients, strict=True):
        torch.testing.assert_close(halved, whole, rtol=1e-3, atol=1e-5)
        assert torch.equal(again, halved)


def gradient(trainer: Trainer) -> torch.Tensor:
    parameters = trainer.adapter.parameters("unet")
    return torch.cat([p.grad.flatten() for p in parameters if p.grad is not None]).clone()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bf16", "fp16"])
def test_every_lora_a_moves_on_a_base_of_half_precision(
    fresh: Tiny, pictures: list[Image.Image], dtype: torch.dtype
) -> None:
    base = replace(fresh("epsilon", False), dtype=dtype)
    base.unet.to(dtype)
    base.text_encoders[0].to(dtype)
    hyperparameters = replace(
        HYPERPARAMETERS, unet_learning_rate=1e-4, text_encoder_learning_rate=1e-5
    )

    before = learnt(base, pictures, replace(hyperparameters, training_steps=0))
    after = learnt(base, pictures, hyperparameters)

    names = [name for name in after if "lora_A" in name]
    assert len(names) > 50
    assert [name for name in names if torch.equal(before[name], after[name])] == []
    assert {value.dtype for value in after.values()} == {torch.float32}
    assert all(bool(value.isfinite().all()) for value in after.values())


def test_validations_do_not_change_the_adapter(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    whole = learnt(sd15, pictures, HYPERPARAMETERS)

    trainer = make_trainer(sd15, pictures, HYPERPARAMETERS)
    try:
        validator = Validator(
            sd15, trainer.adapter, PromptTemplate("qzw", "imp", "sd15"), pictures, load_clip(sd15)
        )
        for report in trainer.steps():
            validator.validate(report.step)
        validated = trainer.adapter.state()
    finally:
        trainer.adapter.detach()

    assert same(whole, validated)


def test_pictures_of_different_sizes_are_learnt_with_square_class_pictures(
    sdxl: BaseModel, pictures: list[Image.Image]
) -> None:
    tall = Image.new("RGBA", (30, 90))
    tall.paste((90, 20, 160, 255), (4, 4, 26, 86))
    hyperparameters = replace(HYPERPARAMETERS, prior="class-images", training_steps=8)
    trainer = make_trainer(sdxl, [*pictures, tall], hyperparameters)
    try:
        drawn = [trainer.sampler.draw() for _ in range(4)]
        reports = list(trainer.steps())
    finally:
        trainer.adapter.detach()

    assert {tuple(batch.latents.shape[-2:]) for batch, _ in drawn} == {(8, 8), (12, 4)}
    assert {tuple(prior.latents.shape[-2:]) for _, prior in drawn if prior} == {(8, 8)}
    assert len(reports) == 8


def check_memory_is_saved(
    base: BaseModel,
    scarce: BaseModel,
    pictures: list[Image.Image],
    hyperparameters: Hyperparameters = HYPERPARAMETERS,
) -> None:
    """Learning on `scarce`, the same model with little memory, gives what it gives on `base`."""
    whole = learnt(base, pictures, hyperparameters)

    trainer = make_trainer(scarce, pictures, hyperparameters)
    try:
        list(trainer.steps())
        spared = trainer.adapter.state()
    finally:
        trainer.adapter.detach()
        trainer.release()

    assert trainer.saves_memory
    assert not base.denoiser.is_gradient_checkpointing
    assert all(torch.allclose(whole[name], spared[name], atol=1e-5) for name in whole)


@dataclass(frozen=True)
class ScarceBase(StableDiffusion):
    """A device whose memory holds no activations: only with checkpointing does it suffice."""

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: PromptEmbeds
    ) -> torch.Tensor:
        if torch.is_grad_enabled() and not self.unet.is_gradient_checkpointing:
            raise torch.OutOfMemoryError("out of memory")
        return super().predict(latents, timesteps, embeds)


def test_too_little_memory_costs_time_and_not_the_job(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    scarce = ScarceBase(sd15.id, sd15.family, sd15.pipeline, sd15.device, sd15.dtype)
    check_memory_is_saved(sd15, scarce, pictures)


def test_a_base_that_gives_no_numbers_is_told_from_a_high_learning_rate(
    fresh: Tiny, pictures: list[Image.Image]
) -> None:
    base = fresh("epsilon", False)
    next(base.unet.mid_block.parameters()).data.fill_(torch.nan)

    with pytest.raises(UnsafeModel, match="its file is damaged"):
        learnt(base, pictures, HYPERPARAMETERS)


def test_a_diverging_run_says_so(sd15: BaseModel, pictures: list[Image.Image]) -> None:
    hyperparameters = replace(
        HYPERPARAMETERS, unet_learning_rate=1e30, text_encoder_learning_rate=1e30, prior="none"
    )

    with pytest.raises(LearningDiverged, match="lower learning rate"):
        learnt(sd15, pictures, hyperparameters)


def test_the_learning_rate_warms_up_and_falls_to_a_tenth() -> None:
    hyperparameters = replace(HYPERPARAMETERS, training_steps=100, warm_up_steps=10)

    assert [rate_factor(step, hyperparameters) for step in (0, 4, 9)] == [0.1, 0.5, 1.0]
    assert rate_factor(10, hyperparameters) == pytest.approx(1.0)
    assert rate_factor(55, hyperparameters) == pytest.approx(0.55)
    assert rate_factor(100, hyperparameters) == pytest.approx(0.1)


def test_the_write_up_s_rate_is_constant() -> None:
    hyperparameters = hyperparameters_for("sd15", "write-up", TrainingOverrides())

    assert {rate_factor(step, hyperparameters) for step in (0, 1, 2000, 4499)} == {1.0}


class Replays:
    """Graphs of a processor: recorded work is done again, on the same buffers."""

    def __init__(self) -> None:
        self.warm_ups = self.recorded = self.replayed = 0

    def warm_up(self, work: Callable[[], None]) -> None:
        self.warm_ups += 1
        work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            work()

        return replay


@with_and_without_text_encoder
@with_every_prior
def test_recorded_steps_are_those_that_were_not(
    sd15: BaseModel,
    pictures: list[Image.Image],
    prior: PriorKind,
    text_rank: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # a recorded step has no halves
    shape = replace(SHAPE, text_encoder_rank=text_rank)
    plain = replace(HYPERPARAMETERS, shape=shape, prior=prior)
    graphs = Replays()

    whole = learnt(sd15, pictures, plain)
    recorded = learnt(sd15, pictures, replace(plain, cuda_graphs=True), graphs=graphs)

    assert (graphs.warm_ups, graphs.recorded, graphs.replayed) == (3, 1, 3)
    for name, value in whole.items():
        torch.testing.assert_close(recorded[name], value, rtol=1e-3, atol=1e-4)


def test_on_a_processor_nothing_is_recorded(sd15: BaseModel, pictures: list[Image.Image]) -> None:
    whole = learnt(sd15, pictures, HYPERPARAMETERS)

    assert same(whole, learnt(sd15, pictures, replace(HYPERPARAMETERS, cuda_graphs=True)))


def test_recording_goes_on_after_a_pause(sd15: BaseModel, pictures: list[Image.Image]) -> None:
    recorded = replace(HYPERPARAMETERS, cuda_graphs=True)

    whole = learnt(sd15, pictures, recorded, graphs=Replays())

    assert same(whole, learnt(sd15, pictures, recorded, stop_at=5, graphs=Replays()))


def test_without_memory_for_a_recording_learning_goes_on(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    class Full(Replays):
        def record(self, work: Callable[[], None]) -> Callable[[], None]:
            raise torch.OutOfMemoryError("no memory for the graph")

    whole = learnt(sd15, pictures, HYPERPARAMETERS)
    recorded = replace(HYPERPARAMETERS, cuda_graphs=True)

    for name, value in learnt(sd15, pictures, recorded, graphs=Full()).items():
        torch.testing.assert_close(whole[name], value, rtol=1e-3, atol=1e-4)
    sd15.denoiser.disable_gradient_checkpointing()


@pytest.mark.parametrize(
    "changes",
    [{"optimizer": "prodigy", "unet_learning_rate": 1.0}, {"accumulation": 2}],
    ids=["prodigy", "accumulation"],
)
def test_what_reads_numbers_at_every_step_is_not_recorded(
    sd15: BaseModel, pictures: list[Image.Image], changes: dict[str, Any]
) -> None:
    graphs = Replays()

    learnt(sd15, pictures, replace(HYPERPARAMETERS, cuda_graphs=True, **changes), graphs=graphs)

    assert graphs.warm_ups == 0
