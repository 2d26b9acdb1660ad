"""Limits of a generate job's images and of their sheet, known before anything is painted."""

from __future__ import annotations

from modelsheet.api.generate import GenerateRequest
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.rgba import LARGEST_SIDE, Size

_MOST_COLUMNS = 8
_MOST_PIXELS = 1 << 28  # of all images: 1 GiB, as 64 of 2048 × 2048 have


def check_output_size(request: GenerateRequest, number: int, size: Size) -> None:
    """Check the images that are painted at or brought to `size` px. Raises InvalidRequest."""
    factor = request.pixel_art.enlarge if request.pixel_art else 1
    width, height = size[0] * factor, size[1] * factor
    if max(width, height) > LARGEST_SIDE:
        raise InvalidRequest(
            f"The picture would have {width} × {height} pixels, and a side may have {LARGEST_SIDE}."
            " Take a smaller size, or enlarge it less."
        )
    if number * width * height > _MOST_PIXELS:
        raise InvalidRequest(
            f"{number} pictures of {width} × {height} pixels are more than "
            f"{_MOST_PIXELS >> 20} megapixels together. Ask for fewer, or enlarge them less."
        )
    if request.poses and not sheet_columns(number, (width, height)):
        raise InvalidRequest(
            f"The sheet of {number} frames of {width} × {height} pixels would be larger than "
            f"{LARGEST_SIDE} × {LARGEST_SIDE}. Ask for fewer frames, or for smaller ones."
        )


def sheet_columns(number: int, frame: Size) -> int:
    """Return the columns of a sheet of frames, at most 8 where that fits, 0 where none does."""
    across, down = (LARGEST_SIDE // side for side in frame)
    if across * down < number:
        return 0
    return max(min(_MOST_COLUMNS, number, across), -(-number // down))
