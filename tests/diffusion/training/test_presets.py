"""A preset is a handful of numbers; what is asked otherwise replaces them and fits together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from PIL import Image

from modelsheet.api.learn import PresetName, TrainingOverrides
from modelsheet.api.types import Family
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import load_clip
from modelsheet.diffusion.models.hyperparameters import Hyperparameters
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.validation import (
    Validator,
    step_passes,
    validation_interval,
    validation_passes,
)
from modelsheet.prompts.captions import PromptTemplate
from tests.diffusion.training.test_trainer import HYPERPARAMETERS, make_trainer

NAMING = PromptTemplate("qzw", "imp", "sd15")
FAMILIES = get_args(Family)


def hyperparameters(
    family: Family = "sd15", preset: PresetName = "balanced", **numbers: Any
) -> Hyperparameters:
    return hyperparameters_for(family, preset, TrainingOverrides.model_validate(numbers))


@pytest.mark.parametrize("family", FAMILIES)
def test_quick_is_shorter_and_thorough_longer(family: Family) -> None:
    steps = [
        hyperparameters(family, preset).training_steps
        for preset in ("quick", "balanced", "thorough")
    ]

    assert steps[0] * 2 == steps[1] == steps[2] / 2


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("preset", get_args(PresetName))
@pytest.mark.parametrize("numbers", [{}, {"batch": 1, "prior": "none"}], ids=["as-is", "cheap"])
def test_validations_cost_at_most_a_fifth(
    family: Family, preset: PresetName, numbers: dict[str, Any]
) -> None:
    chosen = hyperparameters(family, preset, **numbers)

    training = step_passes(chosen) * validation_interval(chosen, family)

    assert validation_passes(family) <= 0.2 * (validation_passes(family) + training)


def test_a_step_and_a_validation_are_counted_as_they_run(
    sd15: BaseModel, pictures: list[Image.Image]
) -> None:
    chosen = replace(HYPERPARAMETERS, batch=2, prior_batch=1, prior="no-images", accumulation=2)
    trainer = make_trainer(sd15, pictures, chosen)
    passes: list[int] = []
    try:
        validator = Validator(sd15, trainer.adapter, NAMING, pictures, load_clip(sd15))
        hook = sd15.unet.register_forward_hook(lambda _, inputs, __: passes.append(len(inputs[0])))
        next(trainer.steps())
        training, forward = sum(passes), 2 * (2 + 1)
        passes.clear()
        validator.validate(1)
        hook.remove()
    finally:
        trainer.adapter.detach()

    assert training + 2 * forward == step_passes(chosen)
    assert sum(passes) == validation_passes("sd15")


def test_the_write_up_s_setting_is_kept_as_it_was() -> None:
    seed = hyperparameters("sd15", "write-up")

    assert seed.unet_learning_rate == seed.text_encoder_learning_rate == 0.003
    assert (seed.training_steps, seed.prior, seed.prior_batch) == (4500, "none", 0)
    assert (seed.fixed_identifier, seed.patience, seed.longest_s) == ("ktn", None, 3600)


def test_every_number_can_be_set() -> None:
    numbers = {
        "training_steps": 7, "batch": 3, "accumulation": 2, "processes": 2, "optimizer": "adamw",
        "unet_learning_rate": 0.5, "text_encoder_learning_rate": 0.25, "warm_up_steps": 1,
        "rank": 5, "text_encoder_rank": 3, "feed_forward": False, "convolutions": True,
        "pivotal": True, "prior": "class-images", "prior_loss_weight": 9.0,
        "caption_dropout": 0.25, "flip": True, "masked": False, "own_decoder": True,
        "hypernetwork": True, "cuda_graphs": True,
    }  # fmt: skip
    assert set(numbers) == set(TrainingOverrides.model_fields)

    chosen = hyperparameters(**numbers)

    flat = {**vars(chosen), **vars(chosen.shape)}
    assert {name: flat[name] for name in numbers} == numbers


def test_the_prior_keeps_its_proportion_and_goes_where_it_is_not_wanted() -> None:
    assert hyperparameters(batch=8).prior_batch == 4
    assert hyperparameters(batch=1).prior_batch == 1
    assert hyperparameters(prior="none").prior_batch == 0
    assert hyperparameters("sd15", "write-up", prior="no-images").prior_batch == 1


def test_a_text_encoder_without_a_rate_stays_as_it_is() -> None:
    assert hyperparameters("sdxl").shape.text_encoder_rank == 0
    assert hyperparameters("sd15", text_encoder_learning_rate=0.0).shape.text_encoder_rank == 0


def test_a_text_encoder_that_is_asked_for_learns_at_a_tenth_of_the_rate() -> None:
    chosen = hyperparameters("sdxl", text_encoder_rank=4)

    assert chosen.shape.text_encoder_rank == 4
    assert chosen.text_encoder_learning_rate == pytest.approx(5e-6)


def test_prodigy_finds_its_own_rate() -> None:
    assert hyperparameters(optimizer="prodigy").unet_learning_rate == 1.0
    assert hyperparameters(optimizer="prodigy", unet_learning_rate=0.5).unet_learning_rate == 0.5
