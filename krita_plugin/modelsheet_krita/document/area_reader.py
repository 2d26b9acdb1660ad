"""Read one area of a layer or canvas tile by tile, reduced to the size that is learnt from."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Callable

from ..image import BYTES_PER_PIXEL, LONGEST_SIDE, Image, from_qimage
from ..qt import QtCore, QtGui
from .geometry import Box

TILE = 1024  # px; Krita gives that many in some 10 ms
Straight = QtGui.QImage.Format.Format_ARGB32
Premultiplied = QtGui.QImage.Format.Format_ARGB32_Premultiplied


@dataclass(frozen=True)
class TileSource:
    """Functions that read the pixels and the selection mask of a box.

    `pixels` gives straight-alpha BGRA8 sRGB, `mask` one byte a pixel; None without a selection.
    """

    pixels: Callable[[Box], bytes]
    mask: Callable[[Box], bytes] | None = None


def read(name: str, area: Box, source: TileSource) -> Generator[None, None, Image]:
    """Read `area`, reduced by a whole number if it is larger than 2048 px; yields between tiles."""
    x, y, width, height = area
    factor = -(-max(width, height) // LONGEST_SIDE)
    across, down = max(1, width // factor), max(1, height // factor)
    whole = bytearray(across * down * BYTES_PER_PIXEL)
    side = TILE // factor  # of a tile in the result
    for top in range(0, down, side):
        for left in range(0, across, side):
            size = min(side, across - left), min(side, down - top)
            box = (x + left * factor, y + top * factor, size[0] * factor, size[1] * factor)
            _paste(whole, across, (left, top, *size), _read_tile(box, source, size))
            yield
    return Image(name, across, down, bytes(whole))


def read_now(name: str, area: Box, source: TileSource) -> Image:
    """Read `area` without a pause; see `read`."""
    steps = read(name, area, source)
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            image: Image = finished.value
            return image


def _read_tile(box: Box, source: TileSource, size: tuple[int, int]) -> bytes:
    width, height = box[2:]
    pixels = source.pixels(box)
    mask = source.mask(box) if source.mask else b""
    is_masked = mask.count(255) != len(mask)
    if (width, height) == size and not is_masked:
        return pixels
    qimage = QtGui.QImage(pixels, width, height, width * BYTES_PER_PIXEL, Straight)
    # Premultiplied, or the colour under transparent pixels bleeds into the edges.
    qimage = qimage.convertToFormat(Premultiplied)
    if is_masked:
        _apply_mask(qimage, mask)
    if (width, height) != size:
        qimage = qimage.scaled(
            QtCore.QSize(*size),
            QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
            QtCore.Qt.TransformationMode.SmoothTransformation,
        )
    return from_qimage(qimage, "").pixels


def _apply_mask(qimage: QtGui.QImage, mask: bytes) -> None:
    """Make the pixels outside the mask transparent."""
    width, height = qimage.width(), qimage.height()
    alpha = QtGui.QImage(mask, width, height, width, QtGui.QImage.Format.Format_Alpha8)
    painter = QtGui.QPainter(qimage)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_DestinationIn)
    painter.drawImage(0, 0, alpha)
    painter.end()


def _paste(whole: bytearray, across: int, box: Box, tile: bytes) -> None:
    left, top, width, height = box
    line = width * BYTES_PER_PIXEL
    for row in range(height):
        start = ((top + row) * across + left) * BYTES_PER_PIXEL
        whole[start : start + line] = tile[row * line : (row + 1) * line]
