"""On a graphics card learning and painting give what the processor gives, to rounding."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_latents
from tests.diffusion.training.test_trainer import HYPERPARAMETERS, learnt, make_trainer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no graphics card"),
]
ONE_STEP = replace(HYPERPARAMETERS, training_steps=1, caption_dropout=0.0)


@pytest.fixture
def on_card(data_dir: Path) -> BaseModel:
    return load_base_model("sd15", data_dir, torch.device("cuda"))


def test_a_picture_is_the_processors(sd15: BaseModel, on_card: BaseModel) -> None:
    settings = SamplingSettings(["an imp"], [3], 64, 64, 4)
    expected = sample_latents(sd15, settings)
    painted = sample_latents(on_card, settings).cpu()

    distance = (painted - expected).square().mean() / expected.square().mean()
    assert float(distance) < 1e-2  # half precision


def test_the_first_loss_is_the_processors(
    sd15: BaseModel, on_card: BaseModel, pictures: list[Image.Image]
) -> None:
    losses = []
    for base in (sd15, on_card):
        trainer = make_trainer(base, pictures, ONE_STEP)
        losses += [step.loss for step in trainer.steps()]
        trainer.adapter.detach()

    assert losses[1] == pytest.approx(losses[0], rel=0.05)


def test_learning_goes_on_after_a_pause(on_card: BaseModel, pictures: list[Image.Image]) -> None:
    whole = learnt(on_card, pictures, HYPERPARAMETERS)
    resumed = learnt(on_card, pictures, HYPERPARAMETERS, stop_at=3)

    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, rtol=0.05, atol=1e-3)


def test_what_was_learnt_is_lifted_off_again(
    on_card: BaseModel, pictures: list[Image.Image]
) -> None:
    settings = SamplingSettings(["an imp"], [3], 64, 64, 4)
    before = sample_latents(on_card, settings)
    learnt(on_card, pictures, HYPERPARAMETERS)

    assert torch.equal(sample_latents(on_card, settings), before)


def test_a_recorded_step_is_as_it_would_be(on_card: BaseModel, pictures: list[Image.Image]) -> None:
    plain = learnt(on_card, pictures, HYPERPARAMETERS)
    recorded = learnt(on_card, pictures, replace(HYPERPARAMETERS, cuda_graphs=True))

    for name, value in plain.items():
        torch.testing.assert_close(recorded[name], value, rtol=0.05, atol=1e-3)
