"""Where subjects stand in one picture: each is painted in a window of its own, as large as the base
likes it, and the windows are merged where their selections say. No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.imaging.inpainting import bounds_of
from modelsheet.imaging.rgba import Size

_LARGEST_FACTOR = 3.0  # of the base's resolution: beyond it memory, not the picture, decides
_Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Spot:
    """A window (left, top, right, bottom) and how much its subject counts there, both in latents;
    `weight` is (bottom - top, right - left), in [0, 1].
    """

    window: tuple[int, int, int, int]
    weight: _Weights


@dataclass(frozen=True)
class Stage:
    """The whole is painted at `size` px; `ground` (h, w) is what no subject covers, in latents."""

    size: Size
    ground: _Weights
    spots: tuple[Spot, ...]


def set_stage(masks: Sequence[Image.Image], resolution: int, step: int, cell: int) -> Stage:
    """Choose the size at which the largest selection gets the base's resolution, and the windows.

    `step` is what sides must be multiples of, `cell` the px of one latent.
    """
    boxes = [bounds_of(mask) for mask in masks]
    size = _size(masks[0].size, boxes, resolution, step)
    weights = [_shrunk(mask, size, cell) for mask in masks]
    side = resolution // cell
    spots = tuple(_spot(weight, side, max(1, step // cell)) for weight in weights)
    return Stage(size, 1.0 - np.maximum.reduce(weights), spots)


def _size(
    whole: Size, boxes: Sequence[tuple[int, int, int, int]], resolution: int, step: int
) -> Size:
    largest = max(max(right - left, bottom - top) for left, top, right, bottom in boxes)
    factor = min(resolution / largest, resolution * _LARGEST_FACTOR / max(whole))
    width, height = (max(step, round(side * factor / step) * step) for side in whole)
    return width, height


def _shrunk(mask: Image.Image, size: Size, cell: int) -> _Weights:
    small = mask.resize((size[0] // cell, size[1] // cell), Image.Resampling.BOX)
    weights: _Weights = np.asarray(small, dtype=np.float32) / np.float32(255)
    return weights


def _spot(weight: _Weights, side: int, multiple: int) -> Spot:
    """A window around the selection, no smaller than the base's resolution where there is room."""
    rows, columns = np.nonzero(weight.any(axis=1))[0], np.nonzero(weight.any(axis=0))[0]
    if not len(rows):  # a selection of less than a latent
        rows = columns = np.zeros(1, dtype=np.intp)
    top, bottom = _span(int(rows[0]), int(rows[-1]) + 1, side, weight.shape[0], multiple)
    left, right = _span(int(columns[0]), int(columns[-1]) + 1, side, weight.shape[1], multiple)
    return Spot((left, top, right, bottom), weight[top:bottom, left:right])


def _span(first: int, last: int, side: int, room: int, multiple: int) -> tuple[int, int]:
    length = min(room, -(-max(last - first, side) // multiple) * multiple)
    start = max(0, min((first + last - length) // 2, room - length))
    return start, start + length
