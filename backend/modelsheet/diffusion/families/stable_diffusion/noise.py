"""Noise of Stable Diffusion: formulas as pure functions of tensors, for epsilon- and v-prediction,
and the schedule that training asks.

`alpha_bar` is ᾱ_t of each sample's timestep, shape (B, 1, 1, 1); get it from `alphas_cumprod`.
"""

from __future__ import annotations

from typing import Any

import torch

from modelsheet.diffusion.models.noise_schedule import stratified_positions

# A diffusers noise scheduler; the library has no common annotated base class with these fields.
NoiseScheduler = Any


def alphas_cumprod(scheduler: NoiseScheduler, timesteps: torch.Tensor) -> torch.Tensor:
    """Return ᾱ_t of each timestep, shape (B, 1, 1, 1), on the timesteps' device."""
    values: torch.Tensor = scheduler.alphas_cumprod.to(timesteps.device, torch.float32)
    return values[timesteps].view(-1, 1, 1, 1)


def stratified_timesteps(
    batch: int, scheduler: NoiseScheduler, generator: torch.Generator | None = None
) -> torch.Tensor:
    """Draw timesteps in [0, T), stratified, on the CPU."""
    total = scheduler.config.num_train_timesteps
    positions = stratified_positions(batch, generator)
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


class DdpmSchedule:
    """The noise of a scheduler with ᾱ, as training and previews ask for it (NoiseSchedule)."""

    def __init__(self, scheduler: NoiseScheduler) -> None:
        self.scheduler = scheduler
        self._alphas_cumprod: torch.Tensor = scheduler.alphas_cumprod

    def draw_timesteps(self, latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw stratified timesteps, whole numbers."""
        drawn = stratified_timesteps(len(latents), self.scheduler, generator)
        return drawn.to(latents.device)

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        return add_noise(latents, noise, self._alpha_bar(timesteps))

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        return target_for(self.scheduler, latents, noise, self._alpha_bar(timesteps))

    def loss_weights(self, timesteps: torch.Tensor, snr_gamma: float) -> torch.Tensor:
        return min_snr_weights(self.scheduler, self._alpha_bar(timesteps), snr_gamma)

    def predict_x0(
        self, noisy: torch.Tensor, prediction: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor:
        """Assumes that the sampler scales the model's input to unit variance."""
        alpha_prod_t = self.scheduler.alphas_cumprod[round(float(timestep))].item()
        sqrt_beta_prod_t = (1 - alpha_prod_t) ** 0.5
        if self.scheduler.config.prediction_type == "v_prediction":
            pred_x0: torch.Tensor = alpha_prod_t**0.5 * noisy - sqrt_beta_prod_t * prediction
        else:
            pred_x0 = (noisy - sqrt_beta_prod_t * prediction) / max(alpha_prod_t, 1e-6) ** 0.5
        return pred_x0

    def _alpha_bar(self, timesteps: torch.Tensor) -> torch.Tensor:
        """Return ᾱ_t, (B, 1, 1, 1); the table is copied to a GPU once."""
        self._alphas_cumprod = self._alphas_cumprod.to(timesteps.device, torch.float32)
        return self._alphas_cumprod[timesteps].view(-1, 1, 1, 1)
