"""The loss of each sample, for every family's noise."""

from __future__ import annotations

import torch


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
