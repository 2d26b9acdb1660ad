"""Hyper-parameters by base-model family and preset, with what the user overrides."""

from __future__ import annotations

from dataclasses import replace

from modelsheet.api.learn import PresetName, TrainingOverrides
from modelsheet.api.types import Family
from modelsheet.base_models.families import WRITE_UP_STEPS, training_steps
from modelsheet.diffusion.families.table import FAMILIES
from modelsheet.diffusion.models.hyperparameters import AdapterShape, Hyperparameters
from modelsheet.errors import InvalidRequest


def hyperparameters_for(
    family: Family, preset: PresetName, overrides: TrainingOverrides
) -> Hyperparameters:
    """Return a preset's hyper-parameters with the caller's overrides. Raises InvalidRequest."""
    balanced, trains_text = FAMILIES[family].balanced, FAMILIES[family].trains_text
    if preset == "write-up":
        chosen = _write_up(balanced)
        if not trains_text:
            chosen = replace(chosen, text_encoder_learning_rate=0.0)
    else:
        chosen = replace(balanced, training_steps=training_steps(family, preset))
    wanted = _overridden(chosen, overrides)
    if not trains_text and (wanted.shape.text_encoder_rank or wanted.pivotal):
        raise InvalidRequest(
            "The text encoder of this base model is not trained. Leave out text_encoder_rank, "
            "text_encoder_learning_rate and pivotal."
        )
    return wanted


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
        hypernetwork=False,
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
