"""Pixel-art post-processing: snap to the pixel grid, limit the colours, threshold the alpha."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.api.generate import PixelArt
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.palettes import apply_palette, extract_palette, parse_hex_colour
from modelsheet.imaging.rgba import Colour

_LARGEST_PIXEL = 32  # px
_SHARE = 0.7  # of all differences between neighbours that must lie on the grid's lines
_HALF = 128  # levels of alpha


def make_pixel_art(
    image: Image.Image, options: PixelArt, references: Sequence[Image.Image], pixel_size: int = 0
) -> Image.Image:
    """Snap to the grid, limit the colours and threshold the alpha; returns RGBA.

    `pixel_size` is the base model's, in px, 0 for unknown; that of the `options` takes precedence.
    Raises InvalidRequest: a pixel would be larger than the image.
    """
    size = options.pixel_size or pixel_size or detect_pixel_size(image)
    if size > min(image.size):
        raise InvalidRequest(
            f"A painted pixel cannot be {size} px large in a picture of {image.width} × "
            f"{image.height}. Ask for a smaller pixel size."
        )
    snapped = threshold_alpha(snap_to_grid(image, size))
    return apply_palette(snapped, _palette(snapped, options, references))


def _palette(
    image: Image.Image, options: PixelArt, references: Sequence[Image.Image]
) -> Sequence[Colour]:
    if isinstance(options.palette, list):
        return [parse_hex_colour(colour) for colour in options.palette]
    if options.palette == "subject":
        return extract_palette(references, options.colours)
    return extract_palette([image], options.colours)


def threshold_alpha(image: Image.Image) -> Image.Image:
    """Make each pixel opaque or transparent black."""
    rgba = np.array(image.convert("RGBA"))
    opaque = rgba[..., 3] >= _HALF
    rgba[..., 3] = np.where(opaque, 255, 0)
    rgba[~opaque] = 0
    return Image.fromarray(rgba)


def detect_pixel_size(image: Image.Image) -> int:
    """Return the side in px of one painted pixel: the largest grid that has most edges on it."""
    edges = _edges(image)
    fitting = [
        size
        for size in range(2, min(_LARGEST_PIXEL, *image.size) + 1)
        if all(_share_on_grid(each, size) >= _SHARE for each in edges)
    ]
    return max(fitting, default=1)


def _edges(image: Image.Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the squared differences at each boundary between columns, and between rows."""
    rgba = np.asarray(image.convert("RGBA"), dtype=np.float64)
    columns = np.square(np.diff(rgba, axis=1)).sum(axis=(0, 2))
    rows = np.square(np.diff(rgba, axis=0)).sum(axis=(1, 2))
    return columns, rows


def _share_on_grid(edges: npt.NDArray[np.float64], size: int) -> float:
    total = float(edges.sum())
    return float(edges[size - 1 :: size].sum()) / total if total else 0.0


def snap_to_grid(image: Image.Image, size: int) -> Image.Image:
    """Reduce each square of `size` px to its median, which is robust to blurred edges."""
    if size == 1:
        return image.convert("RGBA")
    width, height = image.width // size, image.height // size
    rgba = np.asarray(image.convert("RGBA"))[: height * size, : width * size]
    squares = rgba.reshape(height, size, width, size, 4).transpose(0, 2, 1, 3, 4)
    medians = np.median(squares.reshape(height, width, size * size, 4), axis=2)
    return Image.fromarray(medians.round().astype(np.uint8))
