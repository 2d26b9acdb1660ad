"""Insert results into the document in front: as layers, a contact sheet, or animation frames."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Sequence

from ..document.document import OpenDocument
from ..document.geometry import downscaled, moved_inside
from ..errors import BadInput
from ..i18n import tr, trn
from ..image import Image, Placement, as_qimage, from_qimage
from ..qt import QtCore, QtGui
from .result import Result


def apply(
    how: str, results: Sequence[Result], document: OpenDocument, document_id: str
) -> Generator[None, None, OpenDocument]:
    """Insert the results and return the document they went into; one undo step.

    `how`: layers (on top), above or into (the active layer), sheet or frames. A sheet larger than
    the canvas goes into a new document. Yields often. Raises BadInput.
    """
    name = _name(results)
    placements = [placement_in(document, document_id, one) for one in results]
    if how == "sheet":
        return (yield from _insert_sheet(name, results, document, placements[0]))
    images = [downscaled(one.image, place) for one, place in zip(results, placements)]
    if how == "frames":
        yield from document.insert_frames(name, images, placements[0])
    elif how == "into":
        if len(images) > 1:
            raise BadInput(tr("Select one picture to take it into the active layer."))
        yield from document.insert_into_active(images[0], placements[0])
    else:
        named = [
            dataclasses.replace(image, name=_layer_name(one, results))
            for image, one in zip(images, results)
        ]
        layers = list(zip(named, placements))
        yield from document.insert(name, layers, above_active=how == "above")
    return document


def placement_in(document: OpenDocument, document_id: str, result: Result) -> Placement:
    """Return where a result goes in a document.

    What was painted over an area of this document fills that area again. Everything else goes to
    the middle of the selection, or without one to where it was painted for, or to the middle.
    """
    origin = result.origin
    if origin is None or origin.document_id != document_id:
        return document.default_placement()
    if origin.placement.width or not document.has_selection:
        return origin.placement
    return document.default_placement()


def describe(how: str, results: Sequence[Result], target: OpenDocument) -> str:
    """Return a sentence that says what went where."""
    if how == "sheet":
        return tr("A sheet of {count} is in “{document}”", count=len(results), document=target.name)
    return trn(
        "{count} picture is in “{document}”",
        "{count} pictures are in “{document}”",
        len(results),
        document=target.name,
    )


def remark(
    how: str, results: Sequence[Result], document: OpenDocument, target: OpenDocument
) -> str:
    """Return a sentence on what the artist may not expect, or an empty string."""
    if not target.is_same(document):
        return tr(
            "The sheet is larger than the canvas of “{document}”, so it is a new document.",
            document=document.name,
        )
    if how == "into":
        return tr("The picture is merged into the active layer. Undo twice to take it back.")
    _, _, width, height = document.area("canvas")
    larger = [one.image for one in results if _is_larger(one, width, height)]
    if larger:
        largest = max(larger, key=lambda image: max(image.width, image.height))
        return tr(
            "The picture is {size} pixels, larger than the canvas of “{document}”. What lies "
            "outside is kept on the layer: move it, or resize the canvas.",
            size=f"{largest.width} × {largest.height}",
            document=document.name,
        )
    return ""


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


def _insert_sheet(
    name: str, results: Sequence[Result], document: OpenDocument, placement: Placement
) -> Generator[None, None, OpenDocument]:
    sheet = contact_sheet([one.image for one in results])
    canvas = document.area("canvas")
    size = sheet.width, sheet.height
    if size[0] > canvas[2] or size[1] > canvas[3]:
        document = document.create_document(name, *size)
        placement = document.default_placement()
    else:
        placement = moved_inside(placement, size, canvas)
    yield from document.insert(name, [(sheet, placement)])
    return document


def _is_larger(result: Result, width: int, height: int) -> bool:
    is_scaled = result.origin is not None and result.origin.placement.width > 0
    image = result.image
    return not is_scaled and (image.width > width or image.height > height)


def _name(results: Sequence[Result]) -> str:
    first = results[0]
    seed = tr("seed {seed}", seed=first.generated.seed)
    others = len({one.prompt for one in results}) - 1
    if others:
        return trn(
            "{prompt} and {count} other prompt",
            "{prompt} and {count} other prompts",
            others,
            prompt=first.prompt,
        )
    return f"{first.prompt} ({seed})"


def _layer_name(result: Result, results: Sequence[Result]) -> str:
    name = tr("seed {seed}", seed=result.generated.seed)
    if result.generated.label:
        name = f"{name}, {result.generated.label}"
    return name if len({one.prompt for one in results}) == 1 else f"{result.prompt} ({name})"
