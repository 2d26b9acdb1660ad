"""Diffusion loss formulas as pure functions of tensors, for epsilon- and v-prediction.

`alpha_bar` is ᾱ_t of each sample's timestep, shape (B, 1, 1, 1); get it from `alphas_cumprod`.
"""

from __future__ import annotations

from typing import Any

import torch

# A diffusers noise scheduler; the library has no common annotated base class with these fields.
NoiseScheduler = Any


def alphas_cumprod(scheduler: NoiseScheduler, timesteps: torch.Tensor) -> torch.Tensor:
    """Return ᾱ_t of each timestep, shape (B, 1, 1, 1), on the timesteps' device."""
    values: torch.Tensor = scheduler.alphas_cumprod.to(timesteps.device, torch.float32)
    return values[timesteps].view(-1, 1, 1, 1)


def stratified_timesteps(
    batch: int, scheduler: NoiseScheduler, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Draw one timestep from each of `batch` equal strata of [0, T), in random order, on the CPU.

    Less variance than independent draws, and the same marginal distribution.
    """
    total = scheduler.config.num_train_timesteps
    offsets = torch.rand(batch, generator=generator)
    positions = (torch.randperm(batch, generator=generator) + offsets) / batch
    timesteps: torch.Tensor = (positions * total).long().clamp(max=total - 1)
    return timesteps


def add_noise(x_0: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    """Compute x_t = √ᾱ_t · x_0 + √(1 − ᾱ_t) · ε. Ho et al. 2020, eq. 4."""
    return alpha_bar.sqrt() * x_0 + (1 - alpha_bar).sqrt() * eps


def velocity(x_0: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor) -> torch.Tensor:
    """Compute v = √ᾱ_t · ε − √(1 − ᾱ_t) · x_0. Salimans & Ho 2022."""
    return alpha_bar.sqrt() * eps - (1 - alpha_bar).sqrt() * x_0


def target_for(
    scheduler: NoiseScheduler, x_0: torch.Tensor, eps: torch.Tensor, alpha_bar: torch.Tensor
) -> torch.Tensor:
    """Return the network's target by the scheduler's prediction type: ε or v."""
    kind = scheduler.config.prediction_type
    if kind == "epsilon":
        return eps
    if kind == "v_prediction":
        return velocity(x_0, eps, alpha_bar)
    raise ValueError(f"prediction type {kind!r} is neither epsilon nor v_prediction")


def snr(alpha_bar: torch.Tensor) -> torch.Tensor:
    """Return the signal-to-noise ratio ᾱ_t / (1 − ᾱ_t), shape (B,); 0 at zero terminal SNR."""
    flat = alpha_bar.view(-1)
    return flat / (1 - flat)


def min_snr_weights(
    scheduler: NoiseScheduler, alpha_bar: torch.Tensor, gamma: float
) -> torch.Tensor:
    """Return the loss weight of each timestep, shape (B,). Min-SNR-γ, Hang et al. 2023.

    On x_0's scale the weight is min(SNR, γ); the prediction's own scale divides it by SNR (epsilon)
    or SNR + 1 (v). For epsilon that is min(1, γ / SNR), finite at SNR 0 where the ratio would be
    0 / 0. With zero terminal SNR the v weight of the last step, which generates the background from
    pure noise, would be 0 and the step be forgotten: there the numerator is min(SNR + 1, γ), the
    plain v loss where noise dominates and the same cap where it does not.
    """
    ratio = snr(alpha_bar)
    if scheduler.config.prediction_type != "v_prediction":
        return gamma / ratio.clamp(min=gamma)
    if scheduler.config.get("rescale_betas_zero_snr"):
        return (ratio + 1).clamp(max=gamma) / (ratio + 1)
    return ratio.clamp(max=gamma) / (ratio + 1)


def per_sample_mse(
    predicted: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the mean squared error of each sample, shape (B,); fp32.

    `mask`: (B, 1, h, w) weights, normalised per sample so that a small figure weighs as much as a
    large one and only the mask's shape matters, not its area.
    """
    error = (predicted.float() - target.float()).square()
    if mask is None:
        return error.flatten(1).mean(1)
    weight = mask.expand_as(error)
    return (error * weight).flatten(1).sum(1) / weight.flatten(1).sum(1)


def weighted_loss(
    scheduler: NoiseScheduler,
    predicted: torch.Tensor,
    target: torch.Tensor,
    alpha_bar: torch.Tensor,
    *,
    snr_gamma: float | None = None,
    mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the loss of each sample, shape (B,): masked, and Min-SNR-weighted with a γ."""
    loss = per_sample_mse(predicted, target, mask)
    if snr_gamma is None:
        return loss
    return loss * min_snr_weights(scheduler, alpha_bar, snr_gamma)
