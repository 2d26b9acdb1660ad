"""Learn a subject: request, overrides of hyper-parameters, likeness curve, report, estimate."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from modelsheet.api.types import (
    ApiModel,
    Caption,
    ClassNoun,
    Count,
    Fraction,
    Identifier,
    ImageRef,
    ModelId,
    Note,
    Seed,
    SubjectName,
    integral,
    one_line,
)

PresetName = Literal["quick", "balanced", "thorough", "write-up"]


def current_preset(name: Any) -> Any:
    """Replace a preset's name of API 1.0 ("seed") by today's; the old one is accepted until 2.0."""
    return "write-up" if name == "seed" else name


Preset = Annotated[PresetName, BeforeValidator(current_preset)]
PriorKind = Literal["class-images", "no-images", "none"]
OptimizerName = Literal["adamw", "prodigy"]


class TrainingOverrides(ApiModel):
    """Hyper-parameters that override the preset's; None keeps the preset's value.

    A step is `accumulation` batches of `batch` images, shared by `processes` with a GPU each.
    `prodigy` adapts its own rate: its learning rate is 1. `pivotal` trains the identifier's
    embedding too; without `masked` the loss also counts the background. `own_decoder` corrects a
    pixel-art base's autoencoder for the subject. `hypernetwork` begins with the adapter that the
    base's own predicts from the images. `cuda_graphs` records a step on a CUDA device and
    replays it, for one process with `adamw` and one batch a step; elsewhere it changes nothing.
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
    hypernetwork: bool | None = None
    cuda_graphs: bool | None = None


class LearnRequest(ApiModel):
    """Learn a subject from 1 to 64 images of it. The backend chooses an empty identifier.

    A subject that it `replaces`, by its id, goes to the trash once this one is learnt.
    """

    kind: Literal["learn"] = "learn"
    name: SubjectName
    class_noun: ClassNoun
    identifier: Identifier = ""
    replaces: Annotated[str, Field(max_length=64), AfterValidator(one_line)] = ""
    preset: Preset = "balanced"
    base_model: ModelId = "sprite32"
    images: Annotated[list[ImageRef], Field(min_length=1, max_length=64)]
    captions: Annotated[list[Caption], Field(max_length=64)] | None = None
    seed: Seed = 0
    overrides: TrainingOverrides = TrainingOverrides()


class LikenessPoint(ApiModel):
    """One evaluation during training: mean cosines in [-1, 1]. Step 0 is the untrained base model.

    `likeness` in [0, 1] is the one to show: of a sprite model it is measured in the pixels of the
    references at the size they were drawn, of others it is the subject fidelity; the best step is
    chosen by `score`. `prior_drift` is a mean squared distance of class images, `text_drift` is how
    far the text encoder moved on prompts without the identifier (1 - cosine).
    """

    step: Count
    subject_fidelity: float
    prompt_fidelity: float
    prior_drift: float
    score: float
    text_drift: float = 0.0
    likeness: Fraction | None = None


NetworkName = Annotated[str, Field(max_length=60), AfterValidator(one_line)]


class LearnReport(ApiModel):
    """Outcome of training: the best evaluation against the last one, and why they differ.

    `kept_step` is the step whose adapter the subject has, `before` the evaluation of the base model
    with the class noun. Where the base model takes references, `by_references` is that of the
    subject's pictures alone, without the adapter, and `by_both` that of both. `change` is the norm
    of each network's LoRA update relative to its weights. `findings` are sentences for the user.
    """

    kept_step: Count
    before: LikenessPoint | None = None
    best: LikenessPoint | None = None
    final: LikenessPoint | None = None
    by_references: LikenessPoint | None = None
    by_both: LikenessPoint | None = None
    change: Annotated[dict[NetworkName, float], Field(max_length=16)] = {}
    findings: Annotated[list[Note], Field(max_length=100)] = []


class LearnResult(ApiModel):
    """A learnt subject and how its training went. `seconds` are those of all of the job's runs,
    without the time in which it waited.
    """

    kind: Literal["learn"] = "learn"
    subject_id: str
    training_steps: Count
    best_step: Count
    seconds: float
    curve: list[LikenessPoint] = []
    warnings: list[str] = []
    report: LearnReport | None = None


class Estimate(ApiModel):
    """Upper bounds of a training's time and memory.

    `seconds`: as on this machine now or the last time (`seen_here`), else as measured on one CPU
    core; None where neither is known. `memory_bytes`: measured on a CPU, 0 where they were not; a
    GPU, which keeps frozen weights in half precision, needs less. `free_bytes`: free memory of the
    service's machine now.
    """

    training_steps: Count
    seconds: float | None = None
    seen_here: bool = False
    memory_bytes: Count = 0
    free_bytes: Count = 0
