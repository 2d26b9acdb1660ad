"""The open document: gives the selected layers and the canvas as pictures, puts results in.

Main thread only. The artist's layers are never changed: colours are converted in a document of our
own that nobody sees.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from krita import Krita

from ..backend.api_responses import SubjectView
from ..errors import BadInput
from ..i18n import tr
from ..image import NamedPicture, Picture, Place, Reading
from ..qt import QtCore
from . import subject_annotations, tile_reader
from .color_conversion import SRGB, Converter, check_size, space_of
from .geometry import Box
from .layer_reader import LayerReading
from .layer_sources import Wish
from .layer_writer import LayerWriting
from .tile_reader import TileSource

ANNOTATION = "modelsheet/subjects"
LONGEST_GROUND = 2048  # px; what the backend takes to paint over


def current(window: Any) -> OpenDocument:
    """Return the document that the artist looks at. Raises BadInput when there is none."""
    view = window.activeView() if window else None
    document = view.document() if view else None
    if document is None:
        raise BadInput(
            tr("No document is open in this window. Open one, or click into its canvas.")
        )
    return OpenDocument(document, view)


class OpenDocument:
    """One document, held on to: later steps happen in it, whatever is in front then."""

    def __init__(self, document: Any, view: Any) -> None:
        self._document = document
        self._view = view
        file = document.fileName()
        self.name = Path(file).name if file else document.name() or tr("the unnamed document")

    @property
    def is_open(self) -> bool:
        return any(self._document == open_ for open_ in Krita.instance().documents())

    def place(self) -> Place:
        x, y, width, height = self.area("selection")
        return Place(x + width // 2, y + height // 2)

    def area(self, of: str) -> Box:
        """The box of the selection, if there is one and it is wanted, else of the canvas."""
        selection = self._document.selection() if of == "selection" else None
        if selection is not None and selection.width() > 0 and selection.height() > 0:
            return selection.x(), selection.y(), selection.width(), selection.height()
        return 0, 0, self._document.width(), self._document.height()

    def read(self, wish: Wish) -> Generator[None, None, Reading]:
        """Read the selected layers; yields between tiles. Raises BadInput: there is no picture."""
        selected = self._view.selectedNodes() or [self._document.activeNode()]
        steps = LayerReading(self._document, selected, wish, _converter).steps()
        while self.is_open:
            try:
                next(steps)
            except StopIteration as finished:
                return finished.value  # type: ignore[no-any-return]
            yield
        steps.close()
        raise BadInput(tr("“{name}” was closed while it was read.", name=self.name))

    def read_ground(self, resolution: int) -> tuple[Picture, bytes, Place]:
        """Read what the canvas shows inside the selection, or all of it, to be painted over.

        Gives the picture, reduced towards `resolution`, the selection on it, one byte per pixel, if
        there is one, and the place that the result belongs to.
        """
        whole = QtCore.QRect(*self.area("canvas"))
        box = QtCore.QRect(*self.area("selection")).intersected(whole).getRect()
        if box[2] < 1 or box[3] < 1:
            raise BadInput(tr("The selection lies outside the canvas. Move it in."))
        space = space_of(self._document)
        with _converter() as converter:
            source = TileSource(partial(self._shown, space, converter))
            longest = min(LONGEST_GROUND, max(resolution, 1) * 2)
            picture = _drained(tile_reader.read(self.name, box, source, longest))
        place = Place(box[0] + box[2] // 2, box[1] + box[3] // 2, box[2], box[3])
        return picture, self._mask(box, picture), place

    def _shown(self, space: tuple[str, str, str], converter: Converter, box: Box) -> bytes:
        raw = bytes(self._document.pixelData(*box))
        check_size(self.name, raw, space, box[2] * box[3])
        return converter.convert(raw, box[2], box[3], space, SRGB)

    def _mask(self, box: Box, picture: Picture) -> bytes:
        """The selection in the picture's size, or nothing where there is none."""
        selection = self._document.selection()
        if selection is None:
            return b""
        factor = max(1, box[2] // picture.width)
        rows = (
            bytes(selection.pixelData(box[0], box[1] + row * factor, box[2], 1))[::factor]
            for row in range(picture.height)
        )
        return b"".join(row[: picture.width] for row in rows)

    def insert(
        self, name: str, results: Sequence[NamedPicture], place: Place
    ) -> Generator[None, None, None]:
        """Add one group with a layer per result; see LayerWriting."""
        yield from self._writing().group(name, results, place)

    def insert_frames(
        self, name: str, pictures: Sequence[Picture], place: Place
    ) -> Generator[None, None, None]:
        """Add one animated layer with a key frame per picture; see LayerWriting."""
        yield from self._writing().frames(name, pictures, place)

    def _writing(self) -> LayerWriting:
        self._require_open()
        return LayerWriting(
            self._document, self._require_open, make_converter=_converter, open_file=_opened
        )

    def _require_open(self) -> None:
        if not self.is_open:
            raise BadInput(
                tr(
                    "“{name}”, for which this was painted, is closed. Generate again in the "
                    "document that shall have it.",
                    name=self.name,
                )
            )

    def remember_subjects(
        self, subjects: Sequence[SubjectView], *, forget: Sequence[str] = ()
    ) -> None:
        """Note in the document which subjects are painted in it, and of which ids no more."""
        known = {one["id"]: one for one in self.subjects() if one["id"] not in forget}
        for one in subjects:
            known[one.id] = {"id": one.id, "name": one.name, "class_noun": one.class_noun}
        text = json.dumps({"version": 1, "subjects": list(known.values())}, ensure_ascii=False)
        description = "Modelsheet: the subjects painted here"
        self._document.setAnnotation(ANNOTATION, description, QtCore.QByteArray(text.encode()))

    def carried(self) -> dict[str, list[str]]:
        """The subjects that travel in the document, each with the annotations that hold it."""
        return subject_annotations.whole(self._document.annotationTypes())

    def carry(
        self, subject: SubjectView, content: bytes, instead_of: Sequence[str] = ()
    ) -> Generator[None, None, None]:
        """Put a subject into the document, to be saved with it; yields between its pieces.

        The subjects `instead_of` which it comes leave once it is in. Raises BadInput: the document
        was closed.
        """
        self.carry_no_longer(subject.id)
        for number, key in enumerate(subject_annotations.keys(subject.id, len(content))):
            yield
            self._require_still_open()
            piece = content[
                number * subject_annotations.PIECE : (number + 1) * subject_annotations.PIECE
            ]
            description = "Modelsheet: a subject, in pieces"
            self._document.setAnnotation(key, description, QtCore.QByteArray(piece))
        for former in instead_of:
            self.carry_no_longer(former)
        self.remember_subjects([subject], forget=instead_of)

    def _require_still_open(self) -> None:
        if not self.is_open:
            raise BadInput(tr("“{name}” was closed meanwhile. Open it again.", name=self.name))

    def carry_no_longer(self, subject_id: str) -> None:
        for key in self._document.annotationTypes():
            if subject_annotations.subject_of(key) == subject_id:
                self._document.removeAnnotation(key)

    def read_carried(self, subject_id: str) -> Generator[None, None, bytes]:
        """Give back what `carry` put in. Raises BadInput: the document was closed."""
        pieces = []
        for key in self.carried().get(subject_id, []):
            yield
            self._require_still_open()
            pieces.append(bytes(self._document.annotation(key)))
        return b"".join(pieces)

    def subjects(self) -> list[dict[str, str]]:
        """What remember_subjects noted; what cannot be read is left out."""
        if ANNOTATION not in self._document.annotationTypes():
            return []
        try:
            told = json.loads(bytes(self._document.annotation(ANNOTATION)))
            return [
                {key: str(one[key]) for key in ("id", "name", "class_noun")}
                for one in told["subjects"]
            ]
        except (ValueError, KeyError, TypeError):
            return []


def _converter() -> Converter:
    krita = Krita.instance()
    return Converter(lambda: krita.createDocument(1, 1, "Modelsheet", *SRGB, 72.0))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A document of ours that nobody sees, and of which Krita asks nothing. Raises BadInput."""
    krita = Krita.instance()
    was_silent = krita.batchmode()
    krita.setBatchmode(True)
    try:
        document = krita.openDocument(str(path))
    finally:
        krita.setBatchmode(was_silent)
    if document is None:
        raise BadInput(
            tr("Krita made no animation of these pictures. Apply them as a group of layers.")
        )
    try:
        yield document
    finally:
        document.setModified(False)
        document.close()


def _drained(steps: Generator[None, None, Picture]) -> Picture:
    while True:
        try:
            next(steps)
        except StopIteration as finished:
            return finished.value  # type: ignore[no-any-return]
