"""A picture strip by strip, enlarged to the area that it was painted over, in short calls."""

from __future__ import annotations

from collections.abc import Iterator

from ..image import Picture, Place, borrowed, from_image
from ..qt import QtCore, QtGui
from .geometry import Box

STRIP_PIXELS = 1 << 20  # Krita takes and gives that many in some 10 ms
Straight = QtGui.QImage.Format.Format_ARGB32


def box_of(picture: Picture, place: Place) -> Box:
    """The pixels of the document that the picture covers: around the place's centre."""
    width, height = place.width or picture.width, place.height or picture.height
    return place.x - width // 2, place.y - height // 2, width, height


def fitted(picture: Picture, place: Place) -> Picture:
    """Reduce the picture to the place's size if that is smaller: averaging needs all of it."""
    x, y, width, height = box_of(picture, place)
    if width >= picture.width:
        return picture
    image = borrowed(picture).convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    size, aspect = QtCore.QSize(width, height), QtCore.Qt.AspectRatioMode.IgnoreAspectRatio
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    return from_image(image.scaled(size, aspect, smooth), picture.name)


def strips(picture: Picture, place: Place) -> Iterator[tuple[QtGui.QImage, Box]]:
    """The strips from top to bottom, straight ARGB32, and where in the document each belongs."""
    x, y, width, height = box_of(picture, place)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        part = QtCore.QRect(0, top, width, min(rows, height - top))
        yield window(picture, (width, height), part), (x, y + top, width, part.height())


def window(picture: Picture, size: tuple[int, int], part: QtCore.QRect) -> QtGui.QImage:
    """Cut `part` out of the picture in `size`, straight ARGB32; clear beyond the picture's edge."""
    image = borrowed(picture)
    if size == (picture.width, picture.height):
        return image.copy(part)
    cut = QtGui.QImage(part.size(), QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    cut.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(cut)
    painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
    painter.translate(-part.x(), -part.y())
    painter.drawImage(QtCore.QRectF(0, 0, *size), image)
    painter.end()
    return cut.convertToFormat(Straight)
