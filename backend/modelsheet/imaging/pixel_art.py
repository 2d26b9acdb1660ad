"""Pixel-perfect pictures: on the grid of their painted pixels, of few colours, with hard alpha."""

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
_SHARE = 0.7  # of the differences between neighbours that a grid's lines must hold
_HALF = 128  # levels of alpha


def make_pixel_art(
    picture: Image.Image, wish: PixelArt, references: Sequence[Image.Image], pixel_size: int = 0
) -> Image.Image:
    """Snap to the grid, limit the colours and harden the alpha; RGBA.

    `pixel_size` is what the base is known to paint, 0 for unknown; the wish's own counts first.
    """
    size = wish.pixel_size or pixel_size or detect_pixel_size(picture)
    if size > min(picture.size):
        raise InvalidRequest(
            f"A painted pixel cannot be {size} px large in a picture of {picture.width} × "
            f"{picture.height}. Ask for a smaller pixel size."
        )
    snapped = threshold_alpha(snap_to_grid(picture, size))
    return apply_palette(snapped, _palette(snapped, wish, references))


def _palette(
    picture: Image.Image, wish: PixelArt, references: Sequence[Image.Image]
) -> Sequence[Colour]:
    if isinstance(wish.palette, list):
        return [parse_hex_colour(colour) for colour in wish.palette]
    if wish.palette == "subject":
        return extract_palette(references, wish.colours)
    return extract_palette([picture], wish.colours)


def threshold_alpha(picture: Image.Image) -> Image.Image:
    """Make each pixel opaque or transparent; a transparent one has no colour either."""
    rgba = np.array(picture.convert("RGBA"))
    opaque = rgba[..., 3] >= _HALF
    rgba[..., 3] = np.where(opaque, 255, 0)
    rgba[~opaque] = 0
    return Image.fromarray(rgba)


def detect_pixel_size(picture: Image.Image) -> int:
    """The side in px of one painted pixel: the largest grid whose lines hold nearly all edges."""
    edges = _edges(picture)
    fitting = [
        size
        for size in range(2, min(_LARGEST_PIXEL, *picture.size) + 1)
        if all(_share_on_grid(each, size) >= _SHARE for each in edges)
    ]
    return max(fitting, default=1)


def _edges(picture: Image.Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """How much changes before each column, and before each row; the first is the border."""
    rgba = np.asarray(picture.convert("RGBA"), dtype=np.float64)
    columns = np.square(np.diff(rgba, axis=1)).sum(axis=(0, 2))
    rows = np.square(np.diff(rgba, axis=0)).sum(axis=(1, 2))
    return columns, rows


def _share_on_grid(edges: npt.NDArray[np.float64], size: int) -> float:
    total = float(edges.sum())
    return float(edges[size - 1 :: size].sum()) / total if total else 0.0


def snap_to_grid(picture: Image.Image, size: int) -> Image.Image:
    """One pixel for each square of `size` px: its median, which an unclean edge does not move."""
    if size == 1:
        return picture.convert("RGBA")
    width, height = picture.width // size, picture.height // size
    rgba = np.asarray(picture.convert("RGBA"))[: height * size, : width * size]
    squares = rgba.reshape(height, size, width, size, 4).transpose(0, 2, 1, 3, 4)
    medians = np.median(squares.reshape(height, width, size * size, 4), axis=2)
    return Image.fromarray(medians.round().astype(np.uint8))
