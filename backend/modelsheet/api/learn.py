"""Learn a subject: request, overrides of hyper-parameters, likeness curve, report, estimate."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from modelsheet.api.types import (
    Caption,
    ClassNoun,
    Count,
    Identifier,
    ImageRef,
    Model,
    ModelId,
    Seed,
    SubjectName,
    integral,
)

PresetName = Literal["quick", "balanced", "thorough", "write-up"]


def current_preset(name: Any) -> Any:
    """Replace a preset's name of API 1.0 ("seed") by today's; the old one is accepted until 2.0."""
    return "write-up" if name == "seed" else name


Preset = Annotated[PresetName, BeforeValidator(current_preset)]
PriorKind = Literal["class-images", "no-images", "none"]
OptimizerName = Literal["adamw", "prodigy"]


class TrainingOverrides(Model):
    """Numbers of the preset that the caller wants otherwise; None keeps the preset's.

    `batch` pictures go through the network at once and `accumulation` such batches make a step,
    which `processes` share, each with a graphics card of its own. `prodigy` finds its own rate, so
    that 1 is its learning rate. `pivotal` learns the identifier's embedding too; without `masked`
    what is beside the subject is learnt with it. `own_decoder` corrects a pixel-art base's
    autoencoder for the subject.
    """

    training_steps: Annotated[int, Field(ge=1, le=20_000), BeforeValidator(integral)] | None = None
    batch: Annotated[int, Field(ge=1, le=32), BeforeValidator(integral)] | None = None
    accumulation: Annotated[int, Field(ge=1, le=64), BeforeValidator(integral)] | None = None
    processes: Annotated[int, Field(ge=1, le=16), BeforeValidator(integral)] | None = None
    optimizer: OptimizerName | None = None
    unet_learning_rate: Annotated[float, Field(gt=0.0, le=100.0)] | None = None
    text_encoder_learning_rate: Annotated[float, Field(ge=0.0, le=100.0)] | None = None
    warm_up_steps: Annotated[int, Field(ge=0, le=2000), BeforeValidator(integral)] | None = None
    rank: Annotated[int, Field(ge=1, le=128), BeforeValidator(integral)] | None = None
    text_encoder_rank: Annotated[int, Field(ge=0, le=128), BeforeValidator(integral)] | None = None
    feed_forward: bool | None = None
    convolutions: bool | None = None
    pivotal: bool | None = None
    prior: PriorKind | None = None
    prior_loss_weight: Annotated[float, Field(ge=0.0, le=1000.0)] | None = None
    caption_dropout: Annotated[float, Field(ge=0.0, le=0.5)] | None = None
    flip: bool | None = None
    masked: bool | None = None
    own_decoder: bool | None = None


class LearnRequest(Model):
    """Learn a subject from 1 to 64 pictures of it. An empty identifier is chosen by the backend."""

    kind: Literal["learn"] = "learn"
    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier = ""
    preset: Preset = "balanced"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]
    captions: Annotated[list[Caption], Field(max_length=64)] | None = None
    seed: Seed = 0
    overrides: TrainingOverrides = TrainingOverrides()


class LikenessPoint(Model):
    """One probe while learning: mean cosines in [-1, 1]. Step 0 is the base's own, of the class.

    `prior_drift` is a mean squared distance of class pictures, `text_drift` how far the text
    encoder moved on prompts without the identifier (1 - cosine).
    """

    step: Count
    subject_fidelity: float
    prompt_fidelity: float
    prior_drift: float
    score: float
    text_drift: float = 0.0


class LearnReport(Model):
    """What became of the subject: the best probe against the last one, and why they differ.

    `kept_step` is the step whose adapter the subject has, `before` what the base painted of the
    class noun. `change` is how large each network's change is beside its weights, as a ratio of
    norms. `findings` are sentences for the artist.
    """

    kept_step: Count
    before: LikenessPoint | None = None
    best: LikenessPoint | None = None
    final: LikenessPoint | None = None
    change: dict[str, float] = {}
    findings: list[str] = []


class LearnResult(Model):
    kind: Literal["learn"] = "learn"
    subject_id: str
    training_steps: Count
    best_step: Count
    seconds: float
    curve: list[LikenessPoint] = []
    warnings: list[str] = []
    report: LearnReport | None = None


class Estimate(Model):
    """What learning takes at most. `seconds` as it went here the last time (`seen_here`), else as
    measured on one core of a processor; None where neither is known. `memory_bytes` were measured
    on a processor, 0 where they were not; a graphics card, which keeps what is not learnt at half
    the precision, needs less. `free_bytes` of memory are free on the service's machine now.
    """

    training_steps: Count
    seconds: float | None = None
    seen_here: bool = False
    memory_bytes: Count = 0
    free_bytes: Count = 0
