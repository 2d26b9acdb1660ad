"""Insert results into a document: as a group of layers, a contact sheet, or animation frames."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Sequence

from ..document.geometry import downscaled
from ..i18n import tr
from ..image import Image, Placement, as_qimage, from_qimage
from ..qt import QtCore, QtGui
from .results import Result, Target


def apply(how: str, results: Sequence[Result], target: Target) -> Generator[None, None, None]:
    """Insert the results as one undo step. `how`: layers, sheet or frames.

    Yields often. Raises BadInput when the document was closed.
    """
    first, document, placement = results[0], target.document, target.placement
    name = f"{first.prompt} ({tr('seed {seed}', seed=first.generated.seed)})"
    images = [result.image for result in results]
    if how == "sheet":
        sheet = dataclasses.replace(contact_sheet(images), name=name)
        yield from document.insert(name, [sheet], Placement(placement.x, placement.y))
        return
    images = [downscaled(image, placement) for image in images]
    if how == "frames":
        yield from document.insert_frames(name, images, placement)
        return
    layers = [
        dataclasses.replace(image, name=_layer_name(result))
        for image, result in zip(images, results)
    ]
    yield from document.insert(name, layers, placement)


def contact_sheet(images: Sequence[Image]) -> Image:
    """Lay the images out row by row on one, in cells as large as the largest."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    width = max(image.width for image in images)
    height = max(image.height for image in images)
    sheet = QtGui.QImage(width * columns, height * rows, QtGui.QImage.Format.Format_ARGB32)
    sheet.fill(QtCore.Qt.GlobalColor.transparent)
    painter = QtGui.QPainter(sheet)
    painter.setCompositionMode(QtGui.QPainter.CompositionMode.CompositionMode_Source)
    for number, image in enumerate(images):
        row, column = divmod(number, columns)
        x = column * width + (width - image.width) // 2
        painter.drawImage(x, row * height + (height - image.height) // 2, as_qimage(image))
    painter.end()
    return from_qimage(sheet, "")


def _layer_name(result: Result) -> str:
    name = tr("seed {seed}", seed=result.generated.seed)
    return f"{name}, {result.generated.label}" if result.generated.label else name
