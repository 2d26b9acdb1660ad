"""The formulas against diffusers' own and against numbers worked out by hand."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDPMScheduler
from diffusers.training_utils import compute_snr

from modelsheet.diffusion.families.stable_diffusion.noise import (
    DdpmSchedule,
    add_noise,
    alphas_cumprod,
    min_snr_weights,
    snr,
    stratified_timesteps,
    target_for,
)


def scheduler(kind: str, *, zero_snr: bool = False) -> DDPMScheduler:
    return DDPMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=kind,
        rescale_betas_zero_snr=zero_snr,
    )


def draw(batch: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(batch)
    x_0 = torch.randn(batch, 4, 8, 8, generator=generator)
    eps = torch.randn(batch, 4, 8, 8, generator=generator)
    return x_0, eps, torch.randint(0, 1000, (batch,), generator=generator)


@pytest.mark.parametrize("batch", [1, 2, 5])
@pytest.mark.parametrize("zero_snr", [False, True])
def test_noise_and_velocity_are_those_of_diffusers(batch: int, zero_snr: bool) -> None:
    noise_scheduler = scheduler("v_prediction", zero_snr=zero_snr)
    x_0, eps, timesteps = draw(batch)

    alpha_bar = alphas_cumprod(noise_scheduler, timesteps)
    noisy = add_noise(x_0, eps, alpha_bar)
    velocity = target_for(noise_scheduler, x_0, eps, alpha_bar)

    torch.testing.assert_close(noisy, noise_scheduler.add_noise(x_0, eps, timesteps))
    torch.testing.assert_close(velocity, noise_scheduler.get_velocity(x_0, eps, timesteps))


def test_epsilon_is_its_own_target() -> None:
    x_0, eps, timesteps = draw(3)
    noise_scheduler = scheduler("epsilon")
    alpha_bar = alphas_cumprod(noise_scheduler, timesteps)

    assert target_for(noise_scheduler, x_0, eps, alpha_bar) is eps


def test_an_unknown_prediction_type_is_refused() -> None:
    x_0, eps, timesteps = draw(1)
    noise_scheduler = scheduler("sample")
    alpha_bar = alphas_cumprod(noise_scheduler, timesteps)

    with pytest.raises(ValueError, match="'sample'"):
        target_for(noise_scheduler, x_0, eps, alpha_bar)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_snr_and_epsilon_weights_are_those_of_diffusers(batch: int) -> None:
    noise_scheduler = scheduler("epsilon")
    _, _, timesteps = draw(batch)
    reference = compute_snr(noise_scheduler, timesteps)
    alpha_bar = alphas_cumprod(noise_scheduler, timesteps)

    torch.testing.assert_close(snr(alpha_bar), reference)
    torch.testing.assert_close(
        min_snr_weights(noise_scheduler, alpha_bar, 5.0), reference.clamp(max=5.0) / reference
    )


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_velocity_weights_are_those_of_diffusers(batch: int) -> None:
    noise_scheduler = scheduler("v_prediction")
    _, _, timesteps = draw(batch)
    ratio = compute_snr(noise_scheduler, timesteps)

    weights = min_snr_weights(noise_scheduler, alphas_cumprod(noise_scheduler, timesteps), 5.0)

    # examples/dreambooth/train_dreambooth.py, "Velocity objective needs to be floored"
    torch.testing.assert_close(weights, ratio.clamp(max=5.0) / (ratio + 1))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_with_zero_terminal_snr_velocity_weights_are_one_in_the_noise(batch: int) -> None:
    noise_scheduler = scheduler("v_prediction", zero_snr=True)
    _, _, timesteps = draw(batch)
    timesteps[0] = 999
    alpha_bar = alphas_cumprod(noise_scheduler, timesteps)
    ratio = snr(alpha_bar)

    weights = min_snr_weights(noise_scheduler, alpha_bar, 5.0)

    by_hand = [min(float(r) + 1, 5.0) / (float(r) + 1) for r in ratio]
    assert weights.tolist() == pytest.approx(by_hand, rel=1e-5)
    assert float(weights[0]) == pytest.approx(1.0)


def test_epsilon_weights_at_zero_terminal_snr_are_finite() -> None:
    noise_scheduler = scheduler("epsilon", zero_snr=True)
    last = alphas_cumprod(noise_scheduler, torch.tensor([999]))

    assert float(snr(last)) == pytest.approx(0.0, abs=1e-6)
    assert float(min_snr_weights(noise_scheduler, last, 5.0)) == pytest.approx(1.0)


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_the_schedule_weighs_each_sample_by_its_own_timestep(batch: int) -> None:
    noise_scheduler = scheduler("epsilon")
    _, _, timesteps = draw(batch)

    weights = DdpmSchedule(noise_scheduler).loss_weights(timesteps, 5.0)

    ratio = compute_snr(noise_scheduler, timesteps)
    by_hand = [min(1.0, 5.0 / float(ratio[i])) for i in range(batch)]
    assert weights.tolist() == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_true_prediction_amounts_to_the_clean_latents(kind: str) -> None:
    schedule = DdpmSchedule(scheduler(kind))
    x_0, eps, timesteps = draw(1)
    noisy = schedule.add_noise(x_0, eps, timesteps)

    found = schedule.predict_x0(noisy, schedule.target(x_0, eps, timesteps), timesteps[0])

    torch.testing.assert_close(found, x_0, rtol=1e-3, atol=1e-3)


def test_stratified_timesteps_hit_every_stratum_once() -> None:
    drawn = stratified_timesteps(10, scheduler("epsilon"), torch.Generator().manual_seed(0))

    assert sorted((drawn // 100).tolist()) == list(range(10))
