"""Convert colours of RGBA tensors: premultiplied floats, integer codes, distributions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def normalise(pictures: Tensor) -> Tensor:
    """Premultiply RGBA bytes (..., 4, H, W): colours in [-1, 1], clear pixels all zero."""
    scaled = pictures.float() / 255
    alpha = scaled[..., 3:, :, :]
    return torch.cat([(2 * scaled[..., :3, :, :] - 1) * alpha, alpha], dim=-3)


def colour_codes(pictures: Tensor) -> Tensor:
    """Encode RGBA bytes (..., 4, H, W) as one integer a pixel (..., H, W), 0 where it is clear."""
    red, green, blue, alpha = pictures.long().unbind(-3)
    codes = ((alpha << 8 | red) << 8 | green) << 8 | blue
    return torch.where(alpha > 0, codes, torch.zeros_like(codes))


def code_colours(codes: Tensor) -> Tensor:
    """Decode integers (...) of `colour_codes` to RGBA bytes (..., 4)."""
    parts = [codes >> 16 & 255, codes >> 8 & 255, codes & 255, codes >> 24 & 255]
    return torch.stack(parts, dim=-1).to(torch.uint8)


def palette_log_probability(paint: Tensor, sharpness: Tensor, palette: Tensor) -> Tensor:
    """Compute how likely painted colours mean each colour of a palette.

    `paint` (..., P, 4) and `palette` (..., K, 4) in 0..1, `sharpness` (..., P).
    Returns (..., P, K).
    """
    distance = (paint[..., :, None, :] - palette[..., None, :, :]).abs().sum(-1)
    return F.log_softmax(-distance * sharpness[..., None], dim=-1)
