"""The noise of training against diffusers' scheduler, script and shift."""

from __future__ import annotations

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux.pipeline_flux import calculate_shift
from diffusers.training_utils import compute_loss_weighting_for_sd3

from modelsheet.diffusion.families.flux2.flow_matching import (
    FlowMatchingSchedule,
    shifted,
    training_shift,
)

SCHEDULE = FlowMatchingSchedule()
X_0 = torch.randn(3, 16, 4, 4, generator=torch.Generator().manual_seed(0))
NOISE = torch.randn(3, 16, 4, 4, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("tokens", [64, 256, 1024, 4096, 6144])
def test_the_shift_is_that_of_diffusers(tokens: int) -> None:
    levels = torch.linspace(0.01, 0.99, 9)
    scheduler = FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True)

    mu = calculate_shift(tokens, 256, 4096, 0.5, 1.15)

    assert training_shift(tokens) == pytest.approx(mu)
    torch.testing.assert_close(shifted(levels, mu), scheduler.time_shift(mu, 1.0, levels))


def test_noise_is_added_as_by_diffusers() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler()
    timesteps = scheduler.timesteps[[10, 400, 990]]

    ours = SCHEDULE.add_noise(X_0, NOISE, timesteps)

    torch.testing.assert_close(ours, scheduler.scale_noise(X_0, timesteps, NOISE))


def test_the_target_leads_from_the_noisy_latents_back_to_the_picture() -> None:
    timesteps = torch.tensor([300.0])
    noisy = SCHEDULE.add_noise(X_0[:1], NOISE[:1], timesteps)

    target = SCHEDULE.target(X_0[:1], NOISE[:1], timesteps)

    assert torch.equal(target, NOISE[:1] - X_0[:1])
    found = SCHEDULE.predict_x0(noisy, target, timesteps[0])
    torch.testing.assert_close(found, X_0[:1], rtol=1e-4, atol=1e-5)


def test_all_timesteps_weigh_alike() -> None:
    levels = torch.tensor([0.1, 0.9])

    assert torch.equal(compute_loss_weighting_for_sd3("none", levels), torch.ones(2))
    assert SCHEDULE.loss_weights(levels * 1000, 5.0) is None


@pytest.mark.parametrize("side", [4, 64])
def test_timesteps_are_logit_normal_and_shifted_by_the_pictures_size(side: int) -> None:
    latents, generator = torch.empty(4000, 1, side, side), torch.Generator().manual_seed(0)

    drawn = SCHEDULE.draw_timesteps(latents, generator) / 1000

    normal = torch.sigmoid(torch.randn(4000, generator=torch.Generator().manual_seed(1)))
    expected = shifted(normal, training_shift(side * side))
    quantiles = torch.tensor([0.05, 0.25, 0.5, 0.75, 0.95])
    torch.testing.assert_close(
        drawn.quantile(quantiles), expected.quantile(quantiles), rtol=0, atol=0.02
    )
