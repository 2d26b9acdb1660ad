"""Cheap previews of latents while the sampler still runs."""

from __future__ import annotations

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel, to_pil_images

_IMAGES = 8
_PATCH = 4  # latents along one side of a patch of one colour
_SIDE = 4  # patches


class PreviewDecoder:
    """Linear map from latents to colours, fitted once to the base's own autoencoder.

    One small matrix product instead of a decoder; images have one pixel for each latent. A pixel-
    art base has a small decoder and no pixel to spare: there the preview is the decoder itself.
    """

    def __init__(self, base: BaseModel) -> None:
        self._base = base
        self._rgb_factors = None if base.is_pixel_art else _fit_rgb_factors(base)

    def decode(self, latents: torch.Tensor) -> list[Image.Image]:
        """Decode scaled latents (B, C, h, w) to RGB images of w × h px, or of a decoder's size."""
        if self._rgb_factors is None:
            return to_pil_images(self._base.decode_latents(latents))
        count, _, height, width = latents.shape
        colours = _with_offset(latents.float().cpu()) @ self._rgb_factors
        return to_pil_images(colours.reshape(count, height, width, 3).permute(0, 3, 1, 2))


def _fit_rgb_factors(base: BaseModel) -> torch.Tensor:
    """Fit the matrix (C + 1, 3) by least squares to the latents of random colour patches."""
    generator = torch.Generator().manual_seed(0)
    colours = torch.rand((_IMAGES, 3, _SIDE, _SIDE), generator=generator)
    patches = torch.nn.functional.interpolate(colours * 2 - 1, scale_factor=_PATCH)
    images = torch.nn.functional.interpolate(patches, scale_factor=base.latent_factor)
    latents = _with_offset(base.encode_images(images).cpu())
    targets = patches.permute(0, 2, 3, 1).reshape(-1, 3)
    factors: torch.Tensor = torch.linalg.lstsq(latents, targets).solution
    return factors


def _with_offset(latents: torch.Tensor) -> torch.Tensor:
    """Reshape (B, C, h, w) to (B * h * w, C + 1), with a 1 in the last column for the offset."""
    flat = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    return torch.cat([flat, torch.ones(len(flat), 1)], dim=1)
