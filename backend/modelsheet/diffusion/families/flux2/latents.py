"""Latents of FLUX.2: patches of the autoencoder's, normalised; and as a sequence of tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

PATCH = 2  # of the autoencoder's latents along one side
_REFERENCE_OFFSET = 10  # between the places in time of the picture and of each reference


def patchify(latents: torch.Tensor) -> torch.Tensor:
    """Gather patches (B, C, 2h, 2w) into channels (B, 4C, h, w)."""
    return torch.nn.functional.pixel_unshuffle(latents, PATCH)


def unpatchify(latents: torch.Tensor) -> torch.Tensor:
    """Undo `patchify`."""
    return torch.nn.functional.pixel_shuffle(latents, PATCH)


def normalise(latents: torch.Tensor, vae: Any) -> torch.Tensor:
    """Bring patchified latents to zero mean and unit variance by the autoencoder's statistics."""
    mean, deviation = _statistics(vae)
    return (latents - mean.to(latents)) / deviation.to(latents)


def denormalise(latents: torch.Tensor, vae: Any) -> torch.Tensor:
    """Undo `normalise`."""
    mean, deviation = _statistics(vae)
    return latents * deviation.to(latents) + mean.to(latents)


def pack(latents: torch.Tensor) -> torch.Tensor:
    """Lay (B, C, h, w) out as tokens (B, h · w, C), row by row."""
    return latents.flatten(2).transpose(1, 2)


def unpack(tokens: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    """Undo `pack` for latents of `size` (h, w)."""
    latents: torch.Tensor = tokens.transpose(1, 2).unflatten(2, tuple(size))
    return latents


def image_ids(size: Sequence[int], device: torch.device, reference: int = 0) -> torch.Tensor:
    """Return the place of each token (h · w, 4): time, row, column, and 0.

    The picture itself stands at time 0, reference number `reference`, from 1, behind it.
    """
    height, width = size
    time = torch.tensor([reference * _REFERENCE_OFFSET], device=device)
    rows, columns = torch.arange(height, device=device), torch.arange(width, device=device)
    ids: torch.Tensor = torch.cartesian_prod(time, rows, columns, torch.zeros_like(time))
    return ids


def text_ids(length: int, device: torch.device) -> torch.Tensor:
    """Return the place of each token of a prompt (length, 4): three 0 and its number."""
    ids = torch.zeros(length, 4, dtype=torch.long, device=device)
    ids[:, 3] = torch.arange(length, device=device)
    return ids


def _statistics(vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Return mean and standard deviation of each channel, (1, 4C, 1, 1)."""
    norm, eps = vae.bn, vae.config.batch_norm_eps
    deviation = torch.sqrt(norm.running_var.view(1, -1, 1, 1) + eps)
    return norm.running_mean.view(1, -1, 1, 1), deviation
