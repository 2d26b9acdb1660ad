"""Painting into a selection: what is cut out with the context around it, and how it goes back, so
that no byte outside of the selection changes. No torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging.rgba import Colour, Size, composite, enlarge_pixels, resize

_CONTEXT = 0.25  # of the selection's longer side, on each side of it
_Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Place:
    """The square `box` (left, top, right, bottom; it may reach beyond the picture) is painted at
    `size` px.
    """

    box: tuple[int, int, int, int]
    size: Size


def mask_of(content: bytes, width: int, height: int) -> Image.Image:
    """Read a selection from one byte per pixel.

    Raises InvalidImages: other bytes, or it is empty.
    """
    if len(content) != width * height:
        raise InvalidImages(
            f"A selection of {width} × {height} pixels has {width * height} bytes, but "
            f"{len(content)} came. Send it again."
        )
    mask = Image.frombytes("L", (width, height), content)
    if mask.getbbox() is None:
        raise InvalidImages("The selection is empty: select where to paint first.")
    return mask


def place_for(
    mask: Image.Image, good_size: Callable[[int, int], Size], *, alone: bool, pixel_art: bool
) -> Place:
    """Choose the square to paint, inside the picture where it fits.

    It has context around the selection, unless the figure stands `alone`, without background. A
    pixel-art base fills its pictures: its square is a multiple of them that covers the selection,
    or, alone, lies within it.
    """
    left, top, right, bottom = bounds_of(mask)
    side = max(right - left, bottom - top)
    size = good_size(side, side)
    if pixel_art:
        factor = side // size[0] if alone else -(-side // size[0])
        side = max(1, factor) * size[0]
    elif not alone:
        side += 2 * max(4, round(side * _CONTEXT))
    start = (
        _start(left, right, side, mask.width),
        _start(top, bottom, side, mask.height),
    )
    return Place((*start, start[0] + side, start[1] + side), size)


def bounds_of(mask: Image.Image) -> tuple[int, int, int, int]:
    """The selected part of a mask: left, top, right, bottom in px."""
    bounds = mask.getbbox()
    assert bounds is not None, "mask_of refuses empty selections"
    return bounds


def _start(first: int, last: int, side: int, room: int) -> int:
    """Centre `side` px on first..last, moved into the room where they fit it."""
    centred = (first + last - side) // 2
    return max(0, min(centred, room - side)) if side <= room else centred


def cut_out(picture: Image.Image, place: Place, paper: Colour) -> Image.Image:
    """The place as the painter sees it: RGB at its size, edges of the picture drawn out beyond."""
    opaque = composite(picture, paper)
    across = _clamped(place.box[0], place.box[2], picture.width)
    down = _clamped(place.box[1], place.box[3], picture.height)
    square = Image.fromarray(np.asarray(opaque)[np.ix_(down, across)])
    return resize(square, *place.size).convert("RGB")


def _clamped(first: int, last: int, room: int) -> npt.NDArray[np.intp]:
    return np.arange(first, last).clip(0, room - 1)


def free_cells(mask: Image.Image, place: Place, cell: int) -> npt.NDArray[np.float32]:
    """Which latents (h, w) may change: 1 where any selected pixel lies in their `cell` px."""
    width, height = (side // cell for side in place.size)
    selected = np.asarray(mask.crop(place.box)) > 0
    rows = np.arange(selected.shape[0]) * height // selected.shape[0]
    columns = np.arange(selected.shape[1]) * width // selected.shape[1]
    free = np.zeros((height, width), dtype=np.float32)
    y, x = np.nonzero(selected)
    free[rows[y], columns[x]] = 1.0
    return free


def put_back(
    picture: Image.Image,
    painted: Image.Image,
    place: Place,
    mask: Image.Image,
    *,
    patch: bool,
    pixel_art: bool,
) -> Image.Image:
    """Lay the painted square over the picture through the mask; with `patch` give it alone.

    RGBA of the picture's size; where the mask is 0 each byte is the picture's, or transparent.
    """
    side = place.box[2] - place.box[0]
    factor = side // painted.width
    whole = pixel_art and factor * painted.width == side
    square = enlarge_pixels(painted, factor) if whole else resize(painted, side, side)
    layer = Image.new("RGBA", picture.size)
    layer.paste(square.convert("RGBA"), place.box[:2])
    over = np.asarray(layer)
    share = np.asarray(mask, dtype=np.float32) / np.float32(255)
    if patch:
        alpha = (over[..., 3] * share).round().astype(np.uint8)
        return Image.fromarray(np.dstack([over[..., :3] * (alpha > 0)[..., None], alpha]))
    return Image.fromarray(_mixed(np.asarray(picture.convert("RGBA")), over, share))


def _mixed(
    below: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], share: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """The picture above, as opaque as the share of it, over the one below, in straight alpha."""
    covers = share * above[..., 3] / 255
    kept = (below[..., 3] / 255) * (1 - covers)
    alpha = covers + kept
    weight = np.where(alpha > 0, covers / np.maximum(alpha, 1e-6), 0.0)[..., None]
    colour = below[..., :3] * (1 - weight) + above[..., :3] * weight
    mixed = np.dstack([colour, alpha * 255]).round().clip(0, 255).astype(np.uint8)
    return np.where((covers > 0)[..., None], mixed, below)
