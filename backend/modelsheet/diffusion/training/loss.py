"""Compute the loss of denoising and the terms of a VAE decoder's: noise, clamped error, weight."""

from __future__ import annotations

import torch

FIGURE_WEIGHT = 2.0  # a figure's pixels count three times a background's
RECOLOURING_GAINS = (0.4, 1.6)  # the range of each channel's factor when a figure is recoloured
DECODER_NOISE = 0.3  # of the latents' own spread, at most: a denoiser's residual noise


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


def add_latent_noise(latents: torch.Tensor, noise: float = DECODER_NOISE) -> torch.Tensor:
    """Add noise to latents (B, C, h, w): fine grain and soft blotches, of a strength drawn for each
    sample, at most `noise` of the latents' spread. A decoder trained on both decodes nearly flat
    areas flat.
    """
    grain = torch.randn_like(latents)
    coarse = torch.randn(*latents.shape[:2], 4, 4, device=latents.device, dtype=latents.dtype)
    blotches = torch.nn.functional.interpolate(coarse, latents.shape[-2:], mode="bilinear")
    shares = torch.rand(len(latents), 2, 1, 1, 1, device=latents.device, dtype=latents.dtype)
    strength = noise * latents.std()
    return latents + strength * (shares[:, 0] * grain + shares[:, 1] * blotches)


def decoding_error(decoded: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Return |decoded - images| after clamping to [-1, 1], as every pipeline does."""
    past = is_extreme(images) & (decoded * images.sign() > 1)
    return (decoded - images).abs().masked_fill(past, 0.0)


def is_extreme(images: torch.Tensor) -> torch.Tensor:
    """Mark the values at -1 and 1, which may be decoded beyond the clamp."""
    return images.abs() > 0.999
