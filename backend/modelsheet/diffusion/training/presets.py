"""Hyper-parameters by base-model family and preset, each with its source."""

from __future__ import annotations

from dataclasses import dataclass, replace

from modelsheet.api.learn import OptimizerName, PresetName, PriorKind, TrainingOverrides
from modelsheet.api.types import Family
from modelsheet.base_models.families import BALANCED_STEPS, WRITE_UP_STEPS, training_steps
from modelsheet.diffusion.training.adapter import AdapterShape
from modelsheet.errors import InvalidRequest


@dataclass(frozen=True)
class Hyperparameters:
    """All numbers that shape a training. A step learns from `accumulation` times `batch` pictures,
    and each batch has `prior_batch` more for the prior.
    """

    training_steps: int
    batch: int
    prior_batch: int
    unet_learning_rate: float
    text_encoder_learning_rate: float
    shape: AdapterShape
    prior: PriorKind
    optimizer: OptimizerName = "adamw"
    accumulation: int = 1
    processes: int = 1  # that share the batches of a step
    prior_loss_weight: float = 1.0  # λ = 1: Ruiz et al. 2022
    snr_gamma: float | None = 5.0  # γ = 5: Hang et al. 2023
    caption_dropout: float = 0.05  # above .1 the unconditional branch learns the subject too
    warm_up_steps: int = 10
    final_rate: float = 0.1  # of the peak, at the end of the cosine
    validation_steps: int = 30
    masked: bool = True
    flip: bool = False
    own_decoder: bool = False  # of a pixel-art base; others have autoencoders that need none
    pivotal: bool = False  # learn the identifier's row of the embedding too
    embedding_learning_rate: float = 5e-4  # cloneofsimo/lora's for textual inversion
    # Validations without a better score after which training stops and the best step is kept; None
    # trains to the end and keeps the last step.
    patience: int | None = 3
    longest_s: float | None = None
    fixed_identifier: str = ""  # of the write-up preset


# Chosen on three of the drawn test subjects: 1.5e-3 reaches the subject fidelity of 1e-3 in two
# thirds of its steps, 2e-3 adds drift and no fidelity, and without convolutions a tenth of it is
# lost. Later measurements: docs/benchmarks.md.
_SPRITE_SHAPE = AdapterShape(rank=16, text_encoder_rank=8, feed_forward=True, convolutions=True)
_SPRITE32 = Hyperparameters(
    training_steps=BALANCED_STEPS["sprite32"],
    batch=6,
    prior_batch=3,
    unet_learning_rate=1.5e-3,
    text_encoder_learning_rate=2e-4,
    shape=_SPRITE_SHAPE,
    prior="no-images",  # as good as class images (docs/benchmarks.md), and none to generate
    prior_loss_weight=2.0,  # at 1 and this rate the class drifts by more than .05
    validation_steps=40,
    own_decoder=True,
)
# 1e-4 at rank 16 and some 800 sample passes for a few pictures: near diffusers' README (1e-4, 500)
# and DreamBench++ (1e-4, 100 for a single picture); the text encoder at a tenth of the rate.
_SD15 = Hyperparameters(
    training_steps=BALANCED_STEPS["sd15"],
    batch=2,
    prior_batch=1,
    unet_learning_rate=1e-4,
    text_encoder_learning_rate=1e-5,
    shape=AdapterShape(rank=16, text_encoder_rank=8, feed_forward=True, convolutions=False),
    prior="no-images",
    warm_up_steps=20,
    validation_steps=100,
)
# DCO (SDXL, rank 32, 5e-5) with fewer steps; the two text encoders stay as they are.
_SDXL = replace(
    _SD15,
    training_steps=BALANCED_STEPS["sdxl"],
    unet_learning_rate=5e-5,
    text_encoder_learning_rate=0.0,
    shape=AdapterShape(rank=32, text_encoder_rank=0, feed_forward=True, convolutions=False),
)
_BY_FAMILY: dict[Family, Hyperparameters] = {"sprite32": _SPRITE32, "sd15": _SD15, "sdxl": _SDXL}


def hyperparameters_for(
    family: Family, preset: PresetName, overrides: TrainingOverrides
) -> Hyperparameters:
    """Return a preset's hyper-parameters with the caller's overrides. Raises InvalidRequest."""
    balanced = _BY_FAMILY[family]
    if preset == "write-up":
        return _overridden(_write_up(balanced), overrides)
    steps = training_steps(family, preset)
    return _overridden(replace(balanced, training_steps=steps), overrides)


def _write_up(hyperparameters: Hyperparameters) -> Hyperparameters:
    """Return the setting of the write-up that the project began with, kept as a negative anchor:
    30 times the usual rate for both networks.

    Rank 4 on attention alone at a constant rate is what diffusers' script trains; no prior, no
    mask, one picture a step.
    """
    return replace(
        hyperparameters,
        training_steps=WRITE_UP_STEPS,
        batch=1,
        prior_batch=0,
        unet_learning_rate=3e-3,
        text_encoder_learning_rate=3e-3,
        shape=AdapterShape(rank=4, text_encoder_rank=4, feed_forward=False, convolutions=False),
        prior="none",
        snr_gamma=None,
        caption_dropout=0.0,
        warm_up_steps=0,
        final_rate=1.0,
        validation_steps=450,
        masked=False,
        own_decoder=False,
        patience=None,
        longest_s=3600.0,
        fixed_identifier="ktn",
    )


_SHAPE_FIELDS = ("rank", "text_encoder_rank", "feed_forward", "convolutions")


def _overridden(hyperparameters: Hyperparameters, overrides: TrainingOverrides) -> Hyperparameters:
    given = overrides.model_dump(exclude_none=True)
    shape = {name: given.pop(name) for name in _SHAPE_FIELDS if name in given}
    if given.get("optimizer") == "prodigy":
        given.setdefault("unet_learning_rate", 1.0)  # it finds its own rate
    if shape.get("text_encoder_rank") and not hyperparameters.text_encoder_learning_rate:
        rate = given.get("unet_learning_rate", hyperparameters.unet_learning_rate)
        given.setdefault("text_encoder_learning_rate", rate / 10)
    wanted = replace(hyperparameters, shape=replace(hyperparameters.shape, **shape), **given)
    if not wanted.text_encoder_learning_rate:  # an untrained network needs no adapter
        wanted = replace(wanted, shape=replace(wanted.shape, text_encoder_rank=0))
    if wanted.accumulation % wanted.processes:
        raise InvalidRequest(
            f"A step has `accumulation` batches, {wanted.accumulation} of them, and "
            f"{wanted.processes} processes cannot share them evenly. Set `accumulation` to "
            f"{wanted.processes}, and `batch` to fewer pictures if a step shall have no more."
        )
    return replace(wanted, prior_batch=_prior_batch(hyperparameters, wanted))


def _prior_batch(preset: Hyperparameters, wanted: Hyperparameters) -> int:
    """Scale the preset's prior batch with the batch, to at least one; 0 without a prior."""
    if wanted.prior == "none":
        return 0
    return max(1, round(wanted.batch * preset.prior_batch / preset.batch))
