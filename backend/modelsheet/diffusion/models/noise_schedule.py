"""Define a family's noise schedule: levels, noisy latents, target and weights of the loss."""

from __future__ import annotations

from typing import Protocol

import torch


def stratified_positions(count: int, generator: torch.Generator | None) -> torch.Tensor:
    """Draw a number from each of `count` equal strata of [0, 1), in random order, on the CPU.

    Less variance than independent draws, and the same marginal distribution.
    """
    offsets = torch.rand(count, generator=generator)
    return (torch.randperm(count, generator=generator) + offsets) / count


class NoiseSchedule(Protocol):
    """Noise schedule that a base model was trained with.

    Latents and noise are (B, C, h, w), timesteps (B,), in the unit that the denoiser takes.
    """

    def draw_timesteps(self, latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """Draw the timesteps of a training batch, on the latents' device."""

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Return the latents as noisy as at their timesteps."""

    def target(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        """Return what the denoiser shall predict."""

    def loss_weights(self, timesteps: torch.Tensor, snr_gamma: float) -> torch.Tensor | None:
        """Return each sample's weight in the loss (B,), None where all weigh 1."""

    def predict_x0(
        self, noisy: torch.Tensor, prediction: torch.Tensor, timestep: torch.Tensor
    ) -> torch.Tensor:
        """Return the clean latents that a prediction at one timestep (0-d) amounts to."""
