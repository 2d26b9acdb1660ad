"""Pixels between Krita and the backend: straight-alpha BGRA8, and the same as a QImage."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .qt import QtCore, QtGui

BYTES_PER_PIXEL = 4
# No base model looks at more; larger layers are reduced before they are sent.
LONGEST_SIDE = 2048


@dataclass(frozen=True)
class Picture:
    """`pixels`: width * height * 4 bytes, B G R A, straight alpha, sRGB.

    `notes`: hidden, cut; what was seen while it was read.
    """

    name: str
    width: int
    height: int
    pixels: bytes
    notes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        expected = self.width * self.height * BYTES_PER_PIXEL
        assert len(self.pixels) == expected, f"{len(self.pixels)} bytes instead of {expected}"

    @property
    def is_transparent(self) -> bool:
        """Whether nothing of it can be seen."""
        return self.pixels[3::BYTES_PER_PIXEL].count(0) * BYTES_PER_PIXEL == len(self.pixels)


@dataclass(frozen=True)
class Reading:
    """What the selected layers gave: the pictures, and a sentence for each layer that gave none."""

    pictures: tuple[Picture, ...]
    remarks: tuple[str, ...]
    has_groups: bool = False
    has_frames: bool = False
    has_selection: bool = False


@dataclass(frozen=True)
class Place:
    """Where results go: the centre of the selection or of the canvas, in document pixels.

    With a width and a height they are scaled to them: they were painted over that area.
    """

    x: int
    y: int
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class NamedPicture:
    """A result and the name of its layer."""

    picture: Picture
    layer: str


def to_image(picture: Picture) -> QtGui.QImage:
    """Copy into a QImage; Krita's BGRA is ARGB32 on a little-endian machine."""
    return borrowed(picture).copy()


def borrowed(picture: Picture) -> QtGui.QImage:
    """The same without a copy: good while the picture is there."""
    return QtGui.QImage(
        picture.pixels,
        picture.width,
        picture.height,
        picture.width * BYTES_PER_PIXEL,
        QtGui.QImage.Format.Format_ARGB32,
    )


def from_image(image: QtGui.QImage, name: str) -> Picture:
    return Picture(name, image.width(), image.height(), pixels_of(image))


def pixels_of(image: QtGui.QImage) -> bytes:
    """As straight-alpha BGRA8."""
    image = image.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
    return image.constBits().asstring(image.width() * image.height() * BYTES_PER_PIXEL)


def cropped(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """Cut out x, y, width, height."""
    part = to_image(picture).copy(*box)
    return dataclasses.replace(from_image(part, picture.name), notes=picture.notes)


def shown_box(picture: Picture) -> tuple[int, int, int, int] | None:
    """The smallest x, y, width, height with everything that is not transparent, if there is any."""
    alpha, width = picture.pixels[3::BYTES_PER_PIXEL], picture.width
    rows = [alpha[start : start + width] for start in range(0, len(alpha), width)]
    seen = [place for place, row in enumerate(rows) if row.count(0) < width]
    if not seen:
        return None
    left = min(width - len(rows[place].lstrip(b"\0")) for place in seen)
    right = max(len(rows[place].rstrip(b"\0")) for place in seen)
    return left, seen[0], right - left, seen[-1] + 1 - seen[0]


def glance(picture: Picture, side: int) -> QtGui.QImage:
    """The picture, brought near `side` px by leaving pixels out if it is larger: that is quick."""
    image = borrowed(picture)
    if max(picture.width, picture.height) <= side:
        return image.copy()
    return image.scaled(
        side,
        side,
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        QtCore.Qt.TransformationMode.FastTransformation,
    )


def thumbnail(picture: Picture, side: int) -> QtGui.QPixmap:
    """Fit into a square of `side` device pixels on a chequerboard."""
    image = glance(picture, 4 * side)
    # A picture smaller than the square is pixel art here: smoothing would hide what it is.
    mode = QtCore.Qt.TransformationMode
    enlarges = max(picture.width, picture.height) <= side
    fitted = image.scaled(
        side,
        side,
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        mode.FastTransformation if enlarges else mode.SmoothTransformation,
    )
    # Square, so that pictures of all shapes stand in line.
    square = QtGui.QPixmap(side, side)
    square.fill(QtCore.Qt.GlobalColor.transparent)
    x, y = (side - fitted.width()) // 2, (side - fitted.height()) // 2
    painter = QtGui.QPainter(square)
    painter.drawPixmap(x, y, _chequerboard(fitted.size(), max(2, side // 12)))
    painter.drawImage(x, y, fitted)
    painter.end()
    return square


def _chequerboard(size: QtCore.QSize, cell: int) -> QtGui.QPixmap:
    board = QtGui.QPixmap(size)
    board.fill(QtGui.QColor(204, 204, 204))
    painter = QtGui.QPainter(board)
    light = QtGui.QColor(255, 255, 255)
    for row in range(0, size.height(), cell):
        for column in range((row // cell % 2) * cell, size.width(), 2 * cell):
            painter.fillRect(column, row, cell, cell, light)
    painter.end()
    return board
