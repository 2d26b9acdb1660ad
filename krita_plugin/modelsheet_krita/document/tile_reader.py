"""Reads one area of one layer tile by tile, as an sRGB picture no larger than is learnt from."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Callable

from ..image import BYTES_PER_PIXEL, LONGEST_SIDE, Picture, from_image
from ..qt import QtCore, QtGui
from .geometry import Box

TILE = 1024  # px; Krita gives that many in some 10 ms
Straight = QtGui.QImage.Format.Format_ARGB32
Premultiplied = QtGui.QImage.Format.Format_ARGB32_Premultiplied


@dataclass(frozen=True)
class TileSource:
    """`pixels`: box to straight-alpha BGRA8 sRGB; `mask`: box to one byte a pixel, if there is a
    selection."""

    pixels: Callable[[Box], bytes]
    mask: Callable[[Box], bytes] | None = None


def read(
    name: str, area: Box, source: TileSource, longest_side: int = LONGEST_SIDE
) -> Generator[None, None, Picture]:
    """Read `area`, reduced by a whole number if it is larger than `longest_side`; yields between
    tiles."""
    x, y, width, height = area
    factor = -(-max(width, height) // longest_side)
    across, down = max(1, width // factor), max(1, height // factor)
    whole = bytearray(across * down * BYTES_PER_PIXEL)
    side = TILE // factor  # of a tile in the result
    for top in range(0, down, side):
        for left in range(0, across, side):
            size = min(side, across - left), min(side, down - top)
            box = (x + left * factor, y + top * factor, size[0] * factor, size[1] * factor)
            _put(whole, across, (left, top, *size), _tile(box, source, size))
            yield
    return Picture(name, across, down, bytes(whole))


def _tile(box: Box, source: TileSource, size: tuple[int, int]) -> bytes:
    width, height = box[2:]
    pixels = source.pixels(box)
    mask = source.mask(box) if source.mask else b""
    is_masked = mask.count(255) != len(mask)
    if (width, height) == size and not is_masked:
        return pixels
    image = QtGui.QImage(pixels, width, height, width * BYTES_PER_PIXEL, Straight)
    # Premultiplied, or the colour under transparent pixels bleeds into the edges.
    image = image.convertToFormat(Premultiplied)
    if is_masked:
        _cut_out(image, mask)
    if (width, height) != size:
        image = image.scaled(
            QtCore.QSize(*size),
            QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        )
    return from_image(image, "").pixels


def _cut_out(image: QtGui.QImage, mask: bytes) -> None:
    """Make transparent what the mask leaves out."""
    width, height = image.width(), image.height()
    shape = QtGui.QImage(mask, width, height, width, QtGui.QImage.Format.Format_Alpha8)
    painter = QtGui.QPainter(image)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawImage(0, 0, shape)
    painter.end()


def _put(whole: bytearray, across: int, box: Box, tile: bytes) -> None:
    left, top, width, height = box
    line = width * BYTES_PER_PIXEL
    for row in range(height):
        start = ((top + row) * across + left) * BYTES_PER_PIXEL
        whole[start : start + line] = tile[row * line : (row + 1) * line]
