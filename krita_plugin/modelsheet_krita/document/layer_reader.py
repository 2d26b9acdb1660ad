"""Read the selected layers of one document as training images, a tile at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Callable

from ..errors import BadInput
from ..i18n import tr
from ..image import Image, ReadOptions, ReadResult, cropped, visible_box
from ..qt import QtCore
from . import area_reader
from .area_reader import TileSource
from .colour_conversion import SRGB, Converter, check_size, space_of
from .geometry import Box, box_of, crop_boxes
from .layer_sources import LayerSource, has_children, key_frames, list_sources
from .layer_tree import LayerTree, reason_for_no_image, unseen_properties
from .left_out import LeftOut, sentences

if TYPE_CHECKING:
    from krita import Document, Node, Selection


OPAQUE = 255


class LayerReader:
    """One pass over the selected nodes; the document is not changed by it."""

    def __init__(
        self,
        document: Document,
        selected: Sequence[Node],
        options: ReadOptions,
        make_converter: Callable[[], Converter],
    ) -> None:
        self._document, self._selected, self._options = document, selected, options
        self._make_converter = make_converter
        self._left_out: list[LeftOut] = []
        self._images: list[Image] = []

    def steps(self) -> Generator[None, None, ReadResult]:
        """Yield between tiles. Raises BadInput when no layer gives an image."""
        tree = LayerTree(self._document)
        nodes = tree.in_order(self._selected)
        if not nodes:
            raise BadInput(tr("No layer is selected. Select the layers that show your subject."))
        last = self._document.fullClipRangeEndTime()
        sources = list_sources(nodes, self._options, last)
        hidden = {source.node.uniqueId() for source in sources if tree.is_hidden(source.node)}
        with self._readable(tree, sources) as readable, self._make_converter() as converter:
            good, areas = self._with_pixels(readable)
            for source, box in zip(good, self._boxes(good, areas)):
                notes = self._notes(source, hidden)
                yield from self._read(source, box, notes, converter)
        self._align_frames()
        if not self._images:
            raise BadInput(" ".join(sentences(self._left_out)))
        return ReadResult(
            tuple(self._images),
            tuple(sentences(self._left_out)),
            has_groups=any(has_children(node) for node in nodes),
            has_frames=any(key_frames(node, last) for node in nodes),
            has_selection=_has_area(self._document.selection()),
        )

    @contextmanager
    def _readable(self, tree: LayerTree, sources: list[LayerSource]) -> Iterator[list[LayerSource]]:
        """Give the sources; those with a stale picture in a copy of the document."""
        stale = {one.node.uniqueId() for one in sources if tree.is_stale(one.node)}
        if not stale:
            yield sources
            return
        copy = self._document.clone()
        try:
            shown = LayerTree(copy).show(stale)
            copy.refreshProjection()
            copy.waitForDone()
            yield [
                dataclasses.replace(one, node=shown.get(one.node.uniqueId(), one.node))
                for one in sources
            ]
        finally:
            copy.setModified(False)
            copy.close()

    def _selection(self) -> Selection | None:
        """Return the selection if there is one and the options limit the images to it."""
        selection = self._document.selection()
        return selection if self._options.inside_selection and _has_area(selection) else None

    def _area(self) -> QtCore.QRect:
        """Return the canvas, or the part of it inside the selection."""
        canvas = QtCore.QRect(0, 0, self._document.width(), self._document.height())
        selection = self._selection()
        if selection is None:
            return canvas
        box = selection.x(), selection.y(), selection.width(), selection.height()
        return canvas.intersected(QtCore.QRect(*box))

    def _with_pixels(self, sources: list[LayerSource]) -> tuple[list[LayerSource], list[Box]]:
        """Return the sources that show something and their boxes; note why the others do not."""
        good, areas, whole = [], [], self._area()
        for source in sources:
            # A frame's bounds are known only once it is read.
            area = whole if source.time is not None else source.node.bounds().intersected(whole)
            reason = reason_for_no_image(source.node, area)
            if reason is not None:
                self._left_out.append(reason)
            else:
                good.append(source)
                areas.append(box_of(area))
        return good, areas

    def _boxes(self, sources: list[LayerSource], areas: list[Box]) -> list[Box]:
        if any(source.time is not None for source in sources):
            return areas
        return crop_boxes(areas, box_of(self._area()))

    def _read(
        self, source: LayerSource, box: Box, notes: frozenset[str], converter: Converter
    ) -> Generator[None, None, None]:
        try:
            tiles = self._tile_source(source, converter)
            image = yield from area_reader.read(source.name, box, tiles)
        except BadInput as error:
            self._left_out.append(LeftOut(source.name, str(error)))
            return
        if image.is_transparent:
            self._left_out.append(
                LeftOut(
                    source.name,
                    tr(
                        "“{name}” is fully transparent. Paint on it, or deselect it.",
                        name=source.name,
                    ),
                    tr("{names} are fully transparent. Paint on them, or deselect them."),
                )
            )
            return
        if image.width != box[2]:
            notes |= {"reduced"}
        self._images.append(dataclasses.replace(image, notes=notes, corner=box[:2]))

    def _tile_source(self, source: LayerSource, converter: Converter) -> TileSource:
        selection = self._selection()

        def pixels(box: Box) -> bytes:
            return read_node(source.node, converter, box, time=source.time, name=source.name)

        if selection is None:
            return TileSource(pixels)
        return TileSource(pixels, lambda box: selection.pixelData(*box).data())

    def _notes(self, source: LayerSource, hidden: set[QtCore.QUuid]) -> frozenset[str]:
        found = unseen_properties(source.node)
        if source.time is not None:
            return frozenset(found | {"frame"})
        if source.node.uniqueId() in hidden:
            found.add("hidden")
        canvas = QtCore.QRect(0, 0, self._document.width(), self._document.height())
        if not canvas.contains(source.node.bounds()):
            found.add("cut")
        return frozenset(found)

    def _align_frames(self) -> None:
        """Crop frames, which were read in full, to one common box around all that they show."""
        boxes = {
            number: visible_box(image)
            for number, image in enumerate(self._images)
            if "frame" in image.notes
        }
        common = QtCore.QRect()
        for box in boxes.values():
            common = common.united(QtCore.QRect(*box)) if box else common
        for number in boxes:
            self._images[number] = cropped(self._images[number], box_of(common))


def read_node(
    node: Node, converter: Converter, box: Box, *, time: int | None = None, name: str = ""
) -> bytes:
    """Read a box of a layer as BGRA8, at its opacity as the canvas shows it; or of a key frame."""
    space = space_of(node)
    if time is None:
        raw = node.projectionPixelData(*box).data()
    else:
        raw = node.pixelDataAtTime(*box, time).data()
    check_size(name or node.name(), raw, space, box[2] * box[3])
    pixels = converter.convert(raw, box[2], box[3], space, SRGB)
    return with_opacity(pixels, node.opacity())


def with_opacity(bgra: bytes, opacity: int) -> bytes:
    """Scale the alpha of BGRA8 pixels by an opacity of 0 to 255."""
    if opacity == OPAQUE:
        return bgra
    scaled = bytearray(bgra)
    table = bytes((alpha * opacity + OPAQUE // 2) // OPAQUE for alpha in range(OPAQUE + 1))
    scaled[3::4] = scaled[3::4].translate(table)
    return bytes(scaled)


def _has_area(selection: Selection | None) -> bool:
    return selection is not None and selection.width() > 0 and selection.height() > 0
