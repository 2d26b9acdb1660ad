"""Aspect-ratio buckets: training sizes of about the same area and different proportions."""

from __future__ import annotations

import math

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.imaging.rgba import Size

_LONGEST = 1.5  # times the base's resolution; beyond it a base repeats its subject


def bucket_for(size: Size, base: BaseModel) -> Size:
    """Return the bucket with the proportions nearest to a picture's; sprites are square."""
    if base.is_pixel_art:
        return base.training_resolution, base.training_resolution
    wanted = math.log(size[0] / size[1])
    # Of two that are as near the larger one has more detail; of two as large, take the wider.
    return min(
        buckets(base),
        key=lambda each: (
            round(abs(math.log(each[0] / each[1]) - wanted), 6),
            -each[0] * each[1],
            -each[0],
        ),
    )


def buckets(base: BaseModel) -> list[Size]:
    """List the sizes (width, height) that the denoiser takes, up to the area the base admits."""
    step = base.size_multiple
    area, longest = base.training_resolution**2, int(base.training_resolution * _LONGEST)
    shortest = base.training_resolution // 2
    widths = range(step, longest + 1, step)
    found = [(width, min(longest, area // width) // step * step) for width in widths]
    return [size for size in found if min(size) >= shortest]
