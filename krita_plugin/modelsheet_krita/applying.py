"""Results become layers: as a group, or as a sheet on one layer."""

from __future__ import annotations

import math

from .picture import NamedPicture, Picture, Place, from_image, to_image
from .qt import QtCore, QtGui
from .results import Result, Target
from .words import tr


def apply(how: str, results: list[Result], target: Target) -> None:
    """Raises BadInput: the document was closed."""
    first = results[0]
    name = f"{first.prompt} ({tr('seed {seed}', seed=first.image.seed)})"
    layers = [_layer(one, target.place) for one in results]
    if how == "sheet":
        layers = [NamedPicture(sheet([layer.picture for layer in layers]), name)]
    target.document.insert(name, layers, target.place)


def sheet(pictures: list[Picture]) -> Picture:
    """Lay the pictures out row by row on one, in cells as large as the largest."""
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    width = max(picture.width for picture in pictures)
    height = max(picture.height for picture in pictures)
    image = QtGui.QImage(width * columns, height * rows, QtGui.QImage.Format.Format_ARGB32)
    image.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(image)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_Source)
    for place, picture in enumerate(pictures):
        row, column = divmod(place, columns)
        x = column * width + (width - picture.width) // 2
        painter.drawImage(x, row * height + (height - picture.height) // 2, to_image(picture))
    painter.end()
    return from_image(image, "")


def _layer(result: Result, place: Place) -> NamedPicture:
    name = tr("seed {seed}", seed=result.image.seed)
    if result.image.label:
        name = f"{name}, {result.image.label}"
    return NamedPicture(_fitted(result.picture, place), name)


def _fitted(picture: Picture, place: Place) -> Picture:
    """Scale what was painted over an area of the canvas to that area's size."""
    if not place.width or (picture.width, picture.height) == (place.width, place.height):
        return picture
    mode = QtCore.Qt.TransformationMode
    soft = to_image(picture).convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    image = soft.scaled(
        place.width,
        place.height,
        QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
        mode.SmoothTransformation,
    )
    return from_image(image, picture.name)
