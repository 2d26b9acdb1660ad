"""Aspect-ratio buckets: the sizes at which pictures are learnt, all of about the same area."""

from __future__ import annotations

import math

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.imaging.rgba import Size

_LONGEST = 1.5  # times the base's resolution; beyond it a base repeats its subject


def bucket_for(size: Size, base: BaseModel) -> Size:
    """The bucket whose proportions are nearest to a picture's; sprites are square."""
    if base.is_pixel_art:
        return base.resolution, base.resolution
    wanted = math.log(size[0] / size[1])
    # Of two that are as near the larger one has more detail; then the wider, so that it is decided.
    return min(
        buckets(base),
        key=lambda each: (
            round(abs(math.log(each[0] / each[1]) - wanted), 6),
            -each[0] * each[1],
            -each[0],
        ),
    )


def buckets(base: BaseModel) -> list[Size]:
    """All sizes (width, height) that the UNet can halve, as large as the base's area admits."""
    step = base.latent_factor * 2 ** (len(base.unet.config.block_out_channels) - 1)
    area, longest = base.resolution**2, int(base.resolution * _LONGEST)
    shortest = base.resolution // 2
    widths = range(step, longest + 1, step)
    found = [(width, min(longest, area // width) // step * step) for width in widths]
    return [size for size in found if min(size) >= shortest]
