"""Noise of FLUX.2: rectified flow, whose latents lie on a straight line from picture to noise.

A timestep is 1000 σ, with σ the share of noise.
"""

from __future__ import annotations

import math

import torch

from modelsheet.diffusion.models.noise_schedule import stratified_positions

TIMESTEPS = 1000
# The larger a picture, the more noise hides as much of it: tokens, and the shift for so many.
_FEWEST, _LEAST_SHIFT = 256, 0.5
_MOST, _MOST_SHIFT = 4096, 1.15


class FlowMatchingSchedule:
    """Noise levels of training, logit-normal and shifted by the size of the picture."""

    def draw_timesteps(self, latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw stratified timesteps: a sigmoid of a normal number each, then shifted."""
        positions = stratified_positions(len(latents), generator).clamp(1e-4, 1 - 1e-4)
        levels = torch.sigmoid(torch.special.ndtri(positions))
        shift = training_shift(latents.shape[-2] * latents.shape[-1])
        return (shifted(levels, shift) * TIMESTEPS).to(latents.device)

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        return torch.lerp(latents, noise, _levels(timesteps))

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Return the direction of the line, the same at every timestep."""
        return noise - latents

    def loss_weights(self, timesteps: torch.Tensor, snr_gamma: float) -> None:
        """All samples weigh alike, as in diffusers' scripts (weighting scheme "none")."""

    def predict_x0(
        self, noisy: torch.Tensor, prediction: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor:
        return noisy - timestep / TIMESTEPS * prediction


def training_shift(tokens: int) -> float:
    """Return the shift of training's noise levels for a picture of so many tokens."""
    slope = (_MOST_SHIFT - _LEAST_SHIFT) / (_MOST - _FEWEST)
    return _LEAST_SHIFT + slope * (tokens - _FEWEST)


def shifted(levels: torch.Tensor, shift: float) -> torch.Tensor:
    """Move noise levels in (0, 1) towards noise. Esser et al. 2024, section 5.3.2."""
    factor = math.exp(shift)
    return factor * levels / (1 + (factor - 1) * levels)


def _levels(timesteps: torch.Tensor) -> torch.Tensor:
    """Return σ (B, 1, 1, 1)."""
    return (timesteps / TIMESTEPS).view(-1, 1, 1, 1)
