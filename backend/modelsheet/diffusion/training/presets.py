"""How a subject is learnt, by family and preset: a handful of numbers each, with where they come
from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from modelsheet.api.learn import OptimizerName, PresetName, PriorKind, TrainingOverrides
from modelsheet.api.types import Family
from modelsheet.base_models.families import BALANCED_STEPS, WRITE_UP_STEPS, training_steps
from modelsheet.diffusion.training.adapter import AdapterShape
from modelsheet.errors import InvalidRequest


@dataclass(frozen=True)
class Hyperparameters:
    """Learning rates are per optimizer step. A step learns from `accumulation` times `batch`
    pictures, and each batch has `prior_batch` more for the prior.
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
    processes: int = 1  # which share the batches of a step
    prior_loss_weight: float = 1.0  # λ = 1: Ruiz et al. 2022
    snr_gamma: float | None = 5.0  # γ = 5: Hang et al. 2023
    caption_dropout: float = 0.05  # above .1 the unconditional branch learns the subject too
    warm_up_steps: int = 10
    final_rate: float = 0.1  # of the peak, at the end of the cosine
    probe_every: int = 30
    masked: bool = True
    flip: bool = False
    own_decoder: bool = False  # of a pixel-art base; others have autoencoders that need none
    pivotal: bool = False  # learn the identifier's row of the embedding too
    embedding_learning_rate: float = 5e-4  # cloneofsimo/lora's for textual inversion
    # Probes without a better score, after which learning stops and the best is kept; None learns
    # to the end and keeps that.
    patience: int | None = 3
    longest_s: float | None = None
    fixed_identifier: str = ""  # the write-up's own, where it is part of the recipe


# Chosen on three of the drawn test subjects: at 1.5e-3 likeness is there in two thirds of the steps
# that 1e-3 takes, 2e-3 adds drift and no likeness, and without convolutions a tenth of it is lost.
# docs/benchmarks.md has what was measured since.
_SPRITE_SHAPE = AdapterShape(rank=16, text_encoder_rank=8, feed_forward=True, convolutions=True)
_SPRITE32 = Hyperparameters(
    training_steps=BALANCED_STEPS["sprite32"],
    batch=6,
    prior_batch=3,
    unet_learning_rate=1.5e-3,
    text_encoder_learning_rate=2e-4,
    shape=_SPRITE_SHAPE,
    prior="no-images",  # as good as class images in docs/benchmarks.md, and nothing to paint first
    prior_loss_weight=2.0,  # at 1 and this rate the class drifts by more than .05
    probe_every=40,
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
    probe_every=100,
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
    """The numbers of a preset with what the caller wants otherwise. Raises InvalidRequest."""
    balanced = _BY_FAMILY[family]
    if preset == "write-up":
        return _overridden(_write_up(balanced), overrides)
    steps = training_steps(family, preset)
    return _overridden(replace(balanced, training_steps=steps), overrides)


def _write_up(recipe: Hyperparameters) -> Hyperparameters:
    """The write-up's own setting, kept as a negative anchor: 30 times the usual rate for both
    networks.

    Rank 4 on attention alone at a constant rate is what diffusers' script trains; no prior, no
    mask, one picture a step.
    """
    return replace(
        recipe,
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
        probe_every=450,
        masked=False,
        own_decoder=False,
        patience=None,
        longest_s=3600.0,
        fixed_identifier="ktn",
    )


_OF_THE_SHAPE = ("rank", "text_encoder_rank", "feed_forward", "convolutions")


def _overridden(recipe: Hyperparameters, overrides: TrainingOverrides) -> Hyperparameters:
    given = overrides.model_dump(exclude_none=True)
    named = {name: given.pop(name) for name in _OF_THE_SHAPE if name in given}
    if given.get("optimizer") == "prodigy":
        given.setdefault("unet_learning_rate", 1.0)  # it finds its own rate
    if named.get("text_encoder_rank") and not recipe.text_encoder_learning_rate:
        rate = given.get("unet_learning_rate", recipe.unet_learning_rate)
        given.setdefault("text_encoder_learning_rate", rate / 10)
    wanted = replace(recipe, shape=replace(recipe.shape, **named), **given)
    if not wanted.text_encoder_learning_rate:  # what does not learn needs no adapter
        wanted = replace(wanted, shape=replace(wanted.shape, text_encoder_rank=0))
    if wanted.accumulation % wanted.processes:
        raise InvalidRequest(
            f"A step has `accumulation` batches, {wanted.accumulation} of them, and "
            f"{wanted.processes} processes cannot share them evenly. Set `accumulation` to "
            f"{wanted.processes}, and `batch` to fewer pictures if a step shall have no more."
        )
    return replace(wanted, prior_batch=_prior_batch(recipe, wanted))


def _prior_batch(preset: Hyperparameters, wanted: Hyperparameters) -> int:
    """Keep the preset's proportion of prior to instances in every batch, and at least one."""
    if wanted.prior == "none":
        return 0
    return max(1, round(wanted.batch * preset.prior_batch / preset.batch))
