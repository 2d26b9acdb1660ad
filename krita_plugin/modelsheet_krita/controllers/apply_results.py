"""Results become layers: as a group, as a sheet on one layer, or as the frames of an animation."""

from __future__ import annotations

import math
from collections.abc import Generator

from ..document.row_strips import fitted
from ..i18n import tr
from ..image import NamedPicture, Picture, Place, borrowed, from_image
from ..qt import QtCore, QtGui
from .results import Result, Target


def apply(how: str, results: list[Result], target: Target) -> Generator[None, None, None]:
    """One undo step; yields often. `how`: layers, sheet, frames. Raises BadInput: the document was
    closed."""
    first, document, place = results[0], target.document, target.place
    name = f"{first.prompt} ({tr('seed {seed}', seed=first.image.seed)})"
    pictures = [result.picture for result in results]
    if how == "sheet":
        layers = [NamedPicture(sheet(pictures), name)]
        yield from document.insert(name, layers, Place(place.x, place.y))
        return
    pictures = [fitted(picture, place) for picture in pictures]
    if how == "frames":
        yield from document.insert_frames(name, pictures, place)
        return
    layers = [
        NamedPicture(picture, _layer_name(result)) for picture, result in zip(pictures, results)
    ]
    yield from document.insert(name, layers, place)


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
        painter.drawImage(x, row * height + (height - picture.height) // 2, borrowed(picture))
    painter.end()
    return from_image(image, "")


def _layer_name(result: Result) -> str:
    name = tr("seed {seed}", seed=result.image.seed)
    return f"{name}, {result.image.label}" if result.image.label else name
