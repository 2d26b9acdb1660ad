"""Images between Krita and the backend: straight-alpha BGRA8 bytes, conversion to Qt's images."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from .qt import QtCore, QtGui, not_none

BYTES_PER_PIXEL = 4
# No base model looks at more; larger layers are reduced before they are sent.
LONGEST_SIDE = 2048
LAYER_NAME_LENGTH = 300  # of the name that is sent with an image


@dataclass(frozen=True)
class Image:
    """`pixels`: width * height * 4 bytes, B G R A, straight alpha, sRGB.

    `notes`: hidden, cut, reduced or frame; facts about the layer, noted while it was read.
    `corner`: x and y of the top left corner in the document that it was read from.
    """

    name: str
    width: int
    height: int
    pixels: bytes
    notes: frozenset[str] = frozenset()
    corner: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        expected = self.width * self.height * BYTES_PER_PIXEL
        assert len(self.pixels) == expected, f"{len(self.pixels)} bytes instead of {expected}"

    @property
    def is_transparent(self) -> bool:
        """True if every pixel is fully transparent."""
        return self.pixels[3::BYTES_PER_PIXEL].count(0) * BYTES_PER_PIXEL == len(self.pixels)

    @property
    def is_opaque(self) -> bool:
        """True if every pixel is fully opaque."""
        return self.pixels[3::BYTES_PER_PIXEL].count(255) * BYTES_PER_PIXEL == len(self.pixels)


@dataclass(frozen=True)
class ReadOptions:
    """Options for reading the selected layers."""

    each_child: bool = False  # of a group; else the group is one image
    frames: bool = True  # of an animated layer; else only the frame that is shown now
    inside_selection: bool = True


@dataclass(frozen=True)
class ReadResult:
    """Images of the selected layers, and a sentence for each layer that gave none."""

    images: tuple[Image, ...]
    remarks: tuple[str, ...]
    has_groups: bool = False
    has_frames: bool = False
    has_selection: bool = False


@dataclass(frozen=True)
class Placement:
    """Centre of results in document pixels, and the size to scale them to, 0 for their own size."""

    x: int
    y: int
    width: int = 0
    height: int = 0


def to_qimage(image: Image) -> QtGui.QImage:
    """Copy into a QImage; Krita's BGRA is ARGB32 on a little-endian machine."""
    return as_qimage(image).copy()


def as_qimage(image: Image) -> QtGui.QImage:
    """Wrap the pixels in a QImage without a copy; it is valid as long as `image` exists."""
    return QtGui.QImage(
        image.pixels,
        image.width,
        image.height,
        image.width * BYTES_PER_PIXEL,
        QtGui.QImage.Format.Format_ARGB32,
    )


def from_qimage(qimage: QtGui.QImage, name: str) -> Image:
    """Copy a QImage of any format into an Image."""
    return Image(name, qimage.width(), qimage.height(), pixels_of(qimage))


def pixels_of(qimage: QtGui.QImage) -> bytes:
    """Return the pixels of a QImage as straight-alpha BGRA8."""
    qimage = qimage.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
    bits = not_none(qimage.constBits())
    return bits.asstring(qimage.width() * qimage.height() * BYTES_PER_PIXEL)


def cropped(image: Image, box: tuple[int, int, int, int]) -> Image:
    """Cut out the box x, y, width, height."""
    part = from_qimage(to_qimage(image).copy(*box), image.name)
    corner = image.corner[0] + box[0], image.corner[1] + box[1]
    return dataclasses.replace(part, notes=image.notes, corner=corner)


def visible_box(image: Image) -> tuple[int, int, int, int] | None:
    """Return the smallest x, y, width, height around all pixels that are not transparent."""
    alpha, width = image.pixels[3::BYTES_PER_PIXEL], image.width
    rows = [alpha[start : start + width] for start in range(0, len(alpha), width)]
    visible = [number for number, row in enumerate(rows) if row.count(0) < width]
    if not visible:
        return None
    left = min(width - len(rows[number].lstrip(b"\0")) for number in visible)
    right = max(len(rows[number].rstrip(b"\0")) for number in visible)
    return left, visible[0], right - left, visible[-1] + 1 - visible[0]


def downsampled(image: Image, side: int) -> QtGui.QImage:
    """Reduce the image to about `side` px by leaving pixels out, which is fast."""
    qimage = as_qimage(image)
    if max(image.width, image.height) <= side:
        return qimage.copy()
    return qimage.scaled(
        side,
        side,
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        QtCore.Qt.TransformationMode.FastTransformation,
    )


def thumbnail(image: Image, side: int) -> QtGui.QPixmap:
    """Fit the image into a square of `side` device pixels on a chequerboard."""
    qimage = downsampled(image, 4 * side)
    # An image smaller than the square is pixel art here: smoothing would hide what it is.
    mode = QtCore.Qt.TransformationMode
    enlarges = max(image.width, image.height) <= side
    fitted = qimage.scaled(
        side,
        side,
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        mode.FastTransformation if enlarges else mode.SmoothTransformation,
    )
    # Square, so that images of all shapes stand in line.
    square = QtGui.QPixmap(side, side)
    square.fill(QtCore.Qt.GlobalColor.transparent)
    x, y = (side - fitted.width()) // 2, (side - fitted.height()) // 2
    painter = QtGui.QPainter(square)
    painter.drawPixmap(x, y, chequerboard(fitted.size(), max(2, side // 12)))
    painter.drawImage(x, y, fitted)
    painter.end()
    return square


def sharp_thumbnail(image: Image, side: float, ratio: float) -> QtGui.QPixmap:
    """Fit the image into a square of `side` px on a screen with `ratio` device pixels for each."""
    pixmap = thumbnail(image, round(side * ratio))
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def chequerboard(size: QtCore.QSize, cell: int) -> QtGui.QPixmap:
    """Make a board of grey and white cells, on which clear pixels are seen as such."""
    board = QtGui.QPixmap(size)
    board.fill(QtGui.QColor(204, 204, 204))
    painter = QtGui.QPainter(board)
    light = QtGui.QColor(255, 255, 255)
    for row in range(0, size.height(), cell):
        for column in range((row // cell % 2) * cell, size.width(), 2 * cell):
            painter.fillRect(column, row, cell, cell, light)
    painter.end()
    return board
