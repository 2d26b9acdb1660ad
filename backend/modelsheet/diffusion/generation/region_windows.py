"""Windows for regional prompts: each region is denoised in a window of about the base model's own
resolution, and the windows are merged by their masks (MultiDiffusion). No torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.imaging.inpainting import mask_bounds
from modelsheet.imaging.rgba import Size

_LARGEST_FACTOR = 3.0  # of the base's resolution: beyond it memory, not the image, decides
_Weights = npt.NDArray[np.float32]


@dataclass(frozen=True)
class RegionWindow:
    """One region: its window (rows, columns) in latents, and its `weight` in [0, 1], (h, w) of the
    whole canvas, 0 outside of the window.
    """

    window: tuple[slice, slice]
    weight: _Weights


@dataclass(frozen=True)
class RegionCanvas:
    """Canvas of `size` px with its regions; `background` (h, w), in latents, is the weight that the
    regions leave to the prompt of the whole image.
    """

    size: Size
    background: _Weights
    regions: tuple[RegionWindow, ...]


def plan_regions(
    masks: Sequence[Image.Image], resolution: int, multiple: int, latent_factor: int
) -> RegionCanvas:
    """Choose the canvas size at which the largest mask gets the base's resolution, and the windows.

    Sides are multiples of `multiple` px; a latent has `latent_factor` px along one side.
    """
    boxes = [mask_bounds(mask) for mask in masks]
    size = _canvas_size(masks[0].size, boxes, resolution, multiple)
    weights = [_to_latents(mask, size, latent_factor) for mask in masks]
    side, step = resolution // latent_factor, max(1, multiple // latent_factor)
    regions = tuple(RegionWindow(_window(weight, side, step), weight) for weight in weights)
    return RegionCanvas(size, 1.0 - np.maximum.reduce(weights), regions)


def _canvas_size(
    whole: Size, boxes: Sequence[tuple[int, int, int, int]], resolution: int, multiple: int
) -> Size:
    largest = max(max(right - left, bottom - top) for left, top, right, bottom in boxes)
    factor = min(resolution / largest, resolution * _LARGEST_FACTOR / max(whole))
    width, height = (max(multiple, round(side * factor / multiple) * multiple) for side in whole)
    return width, height


def _to_latents(mask: Image.Image, size: Size, latent_factor: int) -> _Weights:
    small = mask.resize((size[0] // latent_factor, size[1] // latent_factor), Image.Resampling.BOX)
    weights: _Weights = np.asarray(small, dtype=np.float32) / np.float32(255)
    return weights


def _window(weight: _Weights, side: int, multiple: int) -> tuple[slice, slice]:
    """Return a window around the mask, of the base's resolution at least where there is room."""
    rows, columns = np.nonzero(weight.any(axis=1))[0], np.nonzero(weight.any(axis=0))[0]
    if not len(rows):  # a mask of less than a latent
        rows = columns = np.zeros(1, dtype=np.intp)
    height, width = weight.shape
    return (
        _span(int(rows[0]), int(rows[-1]) + 1, side, height, multiple),
        _span(int(columns[0]), int(columns[-1]) + 1, side, width, multiple),
    )


def _span(first: int, last: int, side: int, room: int, multiple: int) -> slice:
    length = min(room, -(-max(last - first, side) // multiple) * multiple)
    start = max(0, min((first + last - length) // 2, room - length))
    return slice(start, start + length)
