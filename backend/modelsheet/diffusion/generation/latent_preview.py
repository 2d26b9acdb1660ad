"""A cheap look at latents while the sampler still runs."""

from __future__ import annotations

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import to_images

_PICTURES = 8
_PATCH = 4  # latents along one side of a patch of one colour
_SIDE = 4  # patches


class PreviewDecoder:
    """Colours as a linear function of the latents, fitted once to the base's own autoencoder.

    One small matrix product instead of a decoder; pictures have one pixel for each latent. A
    pixel-art base has a small decoder and no pixel to spare: there it is the decoder itself.
    """

    def __init__(self, base: BaseModel) -> None:
        self._base = base
        self._map = None if base.is_pixel_art else _fitted(base)

    def pictures(self, latents: torch.Tensor) -> list[Image.Image]:
        """Scaled latents (B, C, h, w) to RGB pictures of w × h px, or of a decoder's size."""
        if self._map is None:
            return to_images(self._base.decode_latents(latents))
        count, _, height, width = latents.shape
        colours = _rows(latents.float().cpu()) @ self._map
        return to_images(colours.reshape(count, height, width, 3).permute(0, 3, 1, 2))


def _fitted(base: BaseModel) -> torch.Tensor:
    """The matrix (C + 1, 3) that comes nearest to what the autoencoder makes of random patches."""
    chance = torch.Generator().manual_seed(0)
    colours = torch.rand((_PICTURES, 3, _SIDE, _SIDE), generator=chance)
    patches = torch.nn.functional.interpolate(colours * 2 - 1, scale_factor=_PATCH)
    pictures = torch.nn.functional.interpolate(patches, scale_factor=base.latent_factor)
    known = _rows(base.encode_images(pictures).cpu())
    wanted = patches.permute(0, 2, 3, 1).reshape(-1, 3)
    fitted: torch.Tensor = torch.linalg.lstsq(known, wanted).solution
    return fitted


def _rows(latents: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) to (B * h * w, C + 1), with a 1 in the last column for the offset."""
    rows = latents.permute(0, 2, 3, 1).reshape(-1, latents.shape[1])
    return torch.cat([rows, torch.ones(len(rows), 1)], dim=1)
