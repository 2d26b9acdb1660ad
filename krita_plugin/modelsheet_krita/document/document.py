"""Facade of one open document: reads layers and the canvas as images, inserts results.

Main thread only. The artist's layers are never changed: colours are converted in a document of the
plugin's own that is not shown.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from krita import Krita

from ..errors import BadInput
from ..i18n import tr
from ..image import Image, Placement, ReadOptions, ReadResult
from ..qt import QtCore, QtGui
from . import area_reader, subject_annotations, subject_places
from .area_reader import TileSource
from .canvas_overlay import CanvasOverlay
from .colour_conversion import SRGB, ColorSpace, Converter, check_size, space_of
from .geometry import Box, box_of, context_box, placed_box
from .kra_animation_writer import AnimatedLayer
from .layer_reader import LayerReader, read_node
from .layer_sources import key_frames
from .layer_writer import AnimatedGroup, LayerWriter, PlacedImage
from .model_sheets import ModelSheet, ModelSheets
from .subject_annotations import CHUNK_BYTES, NotedSubject
from .subject_places import SubjectMasks

if TYPE_CHECKING:
    from krita import Document, Node, View, Window

DOCUMENT_ID = "modelsheet/document"
DOCUMENT_ID_DESCRIPTION = "Modelsheet: the document's results are found by this id"
MESSAGE_MS = 4000
MESSAGE_PRIORITY = 1  # medium, of high 0 and low 2
USUAL_FRAME_MS = 100
T = TypeVar("T")


def current(window: Window | None) -> OpenDocument:
    """Return the document that the artist looks at. Raises BadInput when there is none."""
    view = window.activeView() if window else None
    document = view.document() if view else None
    if view is None or document is None:
        raise BadInput(
            tr("No document is open in this window. Open one, or click into its canvas.")
        )
    return OpenDocument(document, view)


class OpenDocument:
    """One document with its view; it stays the same when another one comes to the front."""

    def __init__(self, document: Document, view: View) -> None:
        self._document = document
        self._view = view
        file = document.fileName()
        self.name = Path(file).name if file else document.name() or tr("the unnamed document")

    @property
    def is_open(self) -> bool:
        """True until the artist closes the document."""
        return any(self._document == open_ for open_ in Krita.instance().documents())

    @property
    def path(self) -> str:
        """Path of the document's file, empty while it has none."""
        return self._document.fileName()

    @property
    def has_selection(self) -> bool:
        """True if a part of the canvas is selected."""
        selection = self._document.selection()
        return selection is not None and selection.width() > 0 and selection.height() > 0

    def is_same(self, other: OpenDocument) -> bool:
        """Return True if both are one document; Krita gives a new object for each question."""
        return self._document == other._document

    def noted_id(self) -> str:
        """Return the id that `note_id` noted in the document, or an empty string."""
        if DOCUMENT_ID not in self._document.annotationTypes():
            return ""
        return self._document.annotation(DOCUMENT_ID).data().decode("ascii", "replace")

    def note_id(self, document_id: str) -> None:
        """Note an id in the document, which a .kra keeps wherever it is moved."""
        if self.noted_id() != document_id:
            content = QtCore.QByteArray(document_id.encode())
            self._document.setAnnotation(DOCUMENT_ID, DOCUMENT_ID_DESCRIPTION, content)

    def default_placement(self) -> Placement:
        """Return the centre of the selection, or of the canvas if there is none."""
        x, y, width, height = self.area("selection")
        return Placement(x + width // 2, y + height // 2)

    def area(self, kind: str) -> Box:
        """Return the box of the canvas or, for "selection", of the selection if there is one."""
        selection = self._document.selection()
        if kind == "selection" and self.has_selection and selection is not None:
            return selection.x(), selection.y(), selection.width(), selection.height()
        return 0, 0, self._document.width(), self._document.height()

    def read_layers(self, options: ReadOptions) -> Generator[None, None, ReadResult]:
        """Read the selected layers; yields between tiles. Raises BadInput: there is no image."""
        reader = LayerReader(self._document, self._selected(), options, _converter)
        return (yield from self._while_open(reader.steps()))

    def read_key_views(self, sheet: ModelSheet) -> Generator[None, None, list[tuple[str, Image]]]:
        """Read the key views of a model sheet; see ModelSheets. Raises BadInput."""
        return (yield from self._while_open(self.sheets.read_key_views(sheet)))

    def _while_open(self, steps: Generator[None, None, T]) -> Generator[None, None, T]:
        while self.is_open:
            try:
                next(steps)
            except StopIteration as finished:
                result: T = finished.value
                return result
            yield
        steps.close()
        raise BadInput(tr("“{name}” was closed while it was read.", name=self.name))

    def frame_ms(self) -> int:
        """Return how long a frame of the active layer lasts on average, or a usual time."""
        active = self._document.activeNode()
        last = self._document.fullClipRangeEndTime()
        times = key_frames(active, last) if active is not None else []
        if not times:
            return USUAL_FRAME_MS
        frames = (times[-1] - times[0]) / (len(times) - 1)
        return round(1000 * frames / self._document.framesPerSecond())

    def _selected(self) -> list[Node]:
        active = self._document.activeNode()
        return self._view.selectedNodes() or ([] if active is None else [active])

    @property
    def sheets(self) -> ModelSheets:
        """The document's model sheets."""
        return ModelSheets(self._document, self._writer, _converter)

    def selected_sheet(self) -> ModelSheet | None:
        """Return the model sheet to which a selected layer belongs, if any."""
        return self.sheets.find(self._selected())

    def read_init_image(self, *, active_layer: bool) -> tuple[Image, bytes, Placement]:
        """Read what the canvas shows, or the active layer alone, to be painted over.

        Returns the image, the selection mask in its size with one byte per pixel (empty without a
        selection), and the placement of the results: the selection, or the image. The image is the
        whole canvas; of a large one the selection with what is around it.
        """
        canvas = QtCore.QRect(*self.area("canvas"))
        selected = box_of(QtCore.QRect(*self.area("selection")).intersected(canvas))
        if selected[2] < 1 or selected[3] < 1:
            raise BadInput(tr("The selection lies outside the canvas. Move it in."))
        box = context_box(selected, box_of(canvas))
        with _converter() as converter:
            if active_layer:
                node = self._document.activeNode()
                if node is None:
                    raise BadInput(tr("No layer is active. Click the layer to start from."))
                tiles = TileSource(partial(read_node, node, converter))
            else:
                space = space_of(self._document)
                tiles = TileSource(partial(self._canvas_pixels, space, converter))
            image = area_reader.read_now(self.name, box, tiles)
        mask = self._mask(box, image)
        if active_layer and image.is_transparent and not mask:
            raise BadInput(tr("The active layer is empty. Click the layer to start from."))
        x, y, width, height = selected if mask else box
        return image, mask, Placement(x + width // 2, y + height // 2, width, height)

    def _canvas_pixels(self, space: ColorSpace, converter: Converter, box: Box) -> bytes:
        raw = self._document.pixelData(*box).data()
        check_size(self.name, raw, space, box[2] * box[3])
        return converter.convert(raw, box[2], box[3], space, SRGB)

    def _mask(self, box: Box, image: Image) -> bytes:
        """Return the selection in the image's size, empty where there is none."""
        selection = self._document.selection()
        if selection is None:
            return b""
        factor = max(1, box[2] // image.width)
        rows = (
            selection.pixelData(box[0], box[1] + row * factor, box[2], 1).data()[::factor]
            for row in range(image.height)
        )
        return b"".join(row[: image.width] for row in rows)

    def insert(
        self, name: str, layers: Sequence[PlacedImage], *, above_active: bool = False
    ) -> Generator[None, None, None]:
        """Add a layer, or a group with one per image; see LayerWriter."""
        yield from self._writer().add_layers(name, layers, above_active=above_active)

    def insert_into_active(self, image: Image, placement: Placement) -> Generator[None, None, None]:
        """Merge the image into the active layer; see LayerWriter."""
        yield from self._writer().merge_into_active(image, placement)

    def insert_frames(
        self, name: str, images: Sequence[Image], placement: Placement
    ) -> Generator[None, None, None]:
        """Add one animated layer with a key frame per image; see LayerWriter."""
        layer = AnimatedLayer(name, images, range(len(images)), placement)
        yield from self._writer().add_animation(name, [AnimatedGroup(name, [layer])])

    def create_document(self, name: str, width: int, height: int) -> OpenDocument:
        """Open a new, empty document in this one's window."""
        created = Krita.instance().createDocument(width, height, name, *SRGB, 72.0)
        for node in created.rootNode().childNodes():  # Krita's own background
            node.remove()
        return OpenDocument(created, self._view.window().addView(created))

    def preview(self, overlay: CanvasOverlay, image: Image, placement: Placement) -> None:
        """Show on the canvas where `insert` would put the image; the document does not change."""
        overlay.show(self._view, image, placed_box(image, placement))

    def show_message(self, text: str) -> None:
        """Show a message on the canvas for some seconds, as Krita does for its own."""
        self._view.showFloatingMessage(text, QtGui.QIcon(), MESSAGE_MS, MESSAGE_PRIORITY)

    def _writer(self) -> LayerWriter:
        self._require_open()
        return LayerWriter(
            self._document,
            self._require_open,
            make_converter=_converter,
            open_hidden=_opened_hidden,
        )

    def _require_open(self) -> None:
        if not self.is_open:
            raise BadInput(
                tr(
                    "“{name}” was closed before the picture was in it. Apply again in the "
                    "document that you want it in.",
                    name=self.name,
                )
            )

    def places(self, subjects: Collection[str]) -> dict[str, str]:
        """Return the names of the layers that say where these subjects are to be painted."""
        found = subject_places.find_places(self._document, subjects)
        return {subject: node.name() for subject, node in found.items()}

    def read_places(self, subjects: Collection[str], *, whole_canvas: bool) -> SubjectMasks:
        """Read the masks of the subjects' layers; see `subject_places.read_masks`."""
        found = subject_places.find_places(self._document, subjects)
        with _converter() as converter:
            return subject_places.read_masks(
                self._document, found, converter, whole_canvas=whole_canvas
            )

    def add_place(self, subject: str, number: int) -> None:
        """Add a layer for the subject over the selection, in one undo step."""
        selection = self._document.selection()
        if not self.has_selection or selection is None:
            raise BadInput(
                tr(
                    "Select the area where you want @{name}, then press its button again.",
                    name=subject,
                )
            )
        with _converter() as converter:
            node = subject_places.make_place(self._document, selection, subject, number, converter)
        self._document.rootNode().addChildNode(node, None)

    def noted_subjects(self) -> list[NotedSubject]:
        """Return the subjects that `note_subjects` noted."""
        if subject_annotations.NOTE not in self._document.annotationTypes():
            return []
        content = self._document.annotation(subject_annotations.NOTE).data()
        return subject_annotations.decode_note(content)

    def note_subjects(
        self, subjects: Sequence[NotedSubject], *, removed: Sequence[str] = ()
    ) -> None:
        """Note in the document which subjects it uses, and remove the ids `removed`."""
        known = {one.id: one for one in self.noted_subjects() if one.id not in removed}
        known.update((one.id, one) for one in subjects)
        content = subject_annotations.encode_note(list(known.values()))
        self._document.setAnnotation(
            subject_annotations.NOTE,
            subject_annotations.NOTE_DESCRIPTION,
            QtCore.QByteArray(content),
        )

    def embedded_subjects(self) -> dict[str, list[str]]:
        """Map the ids of the subjects embedded in the document to their annotations."""
        return subject_annotations.complete_subjects(self._document.annotationTypes())

    def embed_subject(
        self, subject: NotedSubject, content: bytes, replaces: Sequence[str] = ()
    ) -> Generator[None, None, None]:
        """Embed a subject in the document, to be saved with it; yields between its chunks.

        The subjects with the ids `replaces` are removed afterwards. Raises BadInput: the document
        was closed.
        """
        self.remove_embedded_subject(subject.id)
        for number, key in enumerate(subject_annotations.chunk_keys(subject.id, len(content))):
            yield
            self._require_still_open()
            chunk = content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]
            self._document.setAnnotation(
                key, subject_annotations.CHUNK_DESCRIPTION, QtCore.QByteArray(chunk)
            )
        for former in replaces:
            self.remove_embedded_subject(former)
        self.note_subjects([subject], removed=replaces)

    def remove_embedded_subject(self, subject_id: str) -> None:
        """Remove the annotations of an embedded subject."""
        for key in self._document.annotationTypes():
            if subject_annotations.subject_id_of(key) == subject_id:
                self._document.removeAnnotation(key)

    def read_embedded_subject(self, subject_id: str) -> Generator[None, None, bytes]:
        """Read what `embed_subject` wrote. Raises BadInput: the document was closed."""
        chunks = []
        for key in self.embedded_subjects().get(subject_id, []):
            yield
            self._require_still_open()
            chunks.append(self._document.annotation(key).data())
        return b"".join(chunks)

    def _require_still_open(self) -> None:
        if not self.is_open:
            raise BadInput(tr("“{name}” was closed meanwhile. Open it again.", name=self.name))


def _converter() -> Converter:
    krita = Krita.instance()
    return Converter(lambda: krita.createDocument(1, 1, "Modelsheet", *SRGB, 72.0))


@contextmanager
def _opened_hidden(path: Path) -> Iterator[Document]:
    """Open a file as a document without a view and without Krita's questions. Raises BadInput."""
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
