"""A tiny klein learns pictures of several proportions, resumes to the byte, and spares memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from modelsheet.api.learn import TrainingOverrides
from modelsheet.api.models import AddModelRequest
from modelsheet.base_models.manage import add_models
from modelsheet.diffusion.families.flux2.flow_matching import training_shift
from modelsheet.diffusion.families.flux2.model import Flux2Klein
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.training.aspect_buckets import buckets
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session
from tests.diffusion.conftest import view
from tests.diffusion.tiny import write_klein
from tests.diffusion.training.test_trainer import (
    check_memory_is_saved,
    learnt,
    make_trainer,
    same,
)

HYPERPARAMETERS = replace(
    hyperparameters_for("flux2-klein", "balanced", TrainingOverrides()),
    training_steps=6,
    unet_learning_rate=1e-2,
    warm_up_steps=0,
)


@pytest.fixture
def proportions() -> list[Image.Image]:
    """A square, a wide and a tall picture of one thing."""
    found = []
    for size in ((48, 48), (96, 40), (40, 96)):
        picture = Image.new("RGBA", size, (90, 150, 220, 255))
        picture.alpha_composite(view(0).resize((40, 40)))
        found.append(picture)
    return found


def test_each_proportion_has_its_bucket_and_its_own_shift(
    klein: BaseModel, proportions: list[Image.Image]
) -> None:
    trainer = make_trainer(klein, proportions, replace(HYPERPARAMETERS, training_steps=12))
    try:
        drawn = [trainer.sampler.draw()[0] for _ in range(30)]
        steps = list(trainer.steps())
    finally:
        trainer.adapter.detach()

    sizes = {tuple(batch.latents.shape[-2:]) for batch in drawn}
    assert len(sizes) == 3
    assert len(steps) == 12
    assert {training_shift(height * width) for height, width in sizes} > {training_shift(16)}
    side = klein.training_resolution
    for width, height in buckets(klein):
        assert width % klein.size_multiple == height % klein.size_multiple == 0
        assert width * height <= side * side


@pytest.mark.parametrize("prior", ["none", "no-images"])
def test_it_resumes_to_the_byte(
    klein: BaseModel, proportions: list[Image.Image], prior: str
) -> None:
    hyperparameters = replace(
        HYPERPARAMETERS, prior=prior, prior_batch=int(prior != "none"), training_steps=4
    )

    whole = learnt(klein, proportions, hyperparameters)

    assert same(whole, learnt(klein, proportions, hyperparameters))
    assert same(whole, learnt(klein, proportions, hyperparameters, stop_at=2))


def test_the_distilled_twin_says_where_to_learn(
    klein: BaseModel, proportions: list[Image.Image], tmp_path: Path
) -> None:
    write_klein(tmp_path / "twin", is_distilled=True)
    add_models(AddModelRequest(path=str(tmp_path / "twin")), tmp_path)
    twin = load_base_model("twin", tmp_path, torch.device("cpu"))
    request = benchmark_request("cat", proportions)

    said = {}
    for base in (klein, twin):
        with standalone_session(base, request, proportions, tmp_path / base.id) as session:
            said[base.id] = [each for each in session.warnings if "is distilled" in each]

    assert (len(said[klein.id]), len(said["twin"])) == (0, 1)


@dataclass(frozen=True)
class ScarceKlein(Flux2Klein):
    """A device whose memory holds no activations: only with checkpointing does it suffice."""

    def predict(
        self, latents: torch.Tensor, timesteps: torch.Tensor, embeds: PromptEmbeds
    ) -> torch.Tensor:
        if torch.is_grad_enabled() and not self.denoiser.is_gradient_checkpointing:
            raise torch.OutOfMemoryError("out of memory")
        return super().predict(latents, timesteps, embeds)


def test_too_little_memory_costs_time_and_not_the_job(
    klein: BaseModel, proportions: list[Image.Image]
) -> None:
    scarce = ScarceKlein(klein.id, klein.family, klein.pipeline, klein.device, klein.dtype)
    check_memory_is_saved(klein, scarce, proportions, HYPERPARAMETERS)
