"""Boxes on the canvas: the crop of each layer that is read, and the row strips that are written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..image import Image, Placement, as_qimage, from_qimage
from ..qt import QtCore, QtGui

Box = tuple[int, int, int, int]  # x, y, width, height

STRIP_PIXELS = 1 << 20  # Krita takes and gives that many in some 10 ms
# A canvas of a sprite's size is one box: a staff at its edge must not push the figure aside.
_SPRITE_SIDE = 128
_SMALL_CANVAS = 1024  # px
_SHARED = 0.25  # of the area of all layers together


def box_of(rect: QtCore.QRect) -> Box:
    """Return x, y, width, height of a rectangle."""
    return rect.x(), rect.y(), rect.width(), rect.height()


def crop_boxes(areas: Sequence[Box], canvas: Box) -> list[Box]:
    """Return the box to read of each layer whose visible pixels lie in `areas`, none of them empty.

    Layers drawn over each other share one common box, so that they stay aligned as on the canvas;
    figures drawn beside each other get a box each.
    """
    if not areas:
        return []
    if max(canvas[2:]) <= _SPRITE_SIDE:
        return [canvas] * len(areas)
    common = _union(areas)
    if all(_size(area) >= _SHARED * _size(common) for area in areas):
        return [common] * len(areas)
    return list(areas)


def context_box(selected: Box, canvas: Box) -> Box:
    """Return the part of the canvas to send for painting into the selected box: all of a canvas up
    to 1024 px, which also shows how large its pixels are; else the box with as much around it.
    """
    if max(canvas[2:]) <= _SMALL_CANVAS or selected == canvas:
        return canvas
    margin = max(selected[2:]) // 2
    x, y, width, height = selected
    around = QtCore.QRect(x - margin, y - margin, width + 2 * margin, height + 2 * margin)
    return box_of(around.intersected(QtCore.QRect(*canvas)))


def _union(areas: Sequence[Box]) -> Box:
    left, top = min(area[0] for area in areas), min(area[1] for area in areas)
    right = max(area[0] + area[2] for area in areas)
    bottom = max(area[1] + area[3] for area in areas)
    return left, top, right - left, bottom - top


def _size(box: Box) -> int:
    return box[2] * box[3]


def placed_box(image: Image, placement: Placement) -> Box:
    """Return the document's pixels that the image covers, around the placement's centre."""
    width, height = placement.width or image.width, placement.height or image.height
    return placement.x - width // 2, placement.y - height // 2, width, height


def moved_inside(placement: Placement, size: tuple[int, int], canvas: Box) -> Placement:
    """Move the placement so that an image of `size`, not larger than the canvas, lies within it."""

    def inside(centre: int, side: int, start: int, length: int) -> int:
        first = start + side // 2
        return min(max(centre, first), first + length - side)

    x = inside(placement.x, size[0], canvas[0], canvas[2])
    y = inside(placement.y, size[1], canvas[1], canvas[3])
    return Placement(x, y)


def downscaled(image: Image, placement: Placement) -> Image:
    """Reduce the image to the placement's size if that is smaller: averaging needs all of it."""
    x, y, width, height = placed_box(image, placement)
    if width >= image.width:
        return image
    qimage = as_qimage(image).convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    size, aspect = QtCore.QSize(width, height), QtCore.Qt.AspectRatioMode.IgnoreAspectRatio
    smooth = QtCore.Qt.TransformationMode.SmoothTransformation
    return from_qimage(qimage.scaled(size, aspect, smooth), image.name)


def row_strips(image: Image, placement: Placement) -> Iterator[tuple[QtGui.QImage, Box]]:
    """Yield strips of rows from top to bottom, straight ARGB32, each with its box in the document.

    The image is enlarged to the placement's size strip by strip, so that each step is short.
    """
    x, y, width, height = placed_box(image, placement)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        part = QtCore.QRect(0, top, width, min(rows, height - top))
        yield scaled_part(image, (width, height), part), (x, y + top, width, part.height())


def scaled_part(image: Image, size: tuple[int, int], part: QtCore.QRect) -> QtGui.QImage:
    """Scale the image to `size` and cut out `part`, straight ARGB32, clear beyond its edge."""
    qimage = as_qimage(image)
    if size == (image.width, image.height):
        return qimage.copy(part)
    cut = QtGui.QImage(part.size(), QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    cut.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(cut)
    painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
    painter.translate(-part.x(), -part.y())
    painter.drawImage(QtCore.QRectF(0, 0, *size), qimage)
    painter.end()
    return cut.convertToFormat(QtGui.QImage.Format.Format_ARGB32)
