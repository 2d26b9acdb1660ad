"""Reads the selected layers of one document as pictures to learn from, a tile at a time."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable

from ..errors import BadInput
from ..i18n import tr
from ..image import Picture, Reading, cropped, shown_box
from ..qt import QtCore
from . import tile_reader
from .color_conversion import SRGB, Converter, check_size, space_of
from .geometry import Box, frames
from .layer_sources import Source, Wish, expand, has_children, key_frames
from .layer_tree import LayerWalk, refusal
from .tile_reader import TileSource


class LayerReading:
    """One reading, from the selected nodes to pictures; the document is not changed by it."""

    def __init__(
        self, document: Any, selected: Sequence[Any], wish: Wish, make_converter: Callable[[], Any]
    ) -> None:
        self._document, self._selected, self._wish = document, selected, wish
        self._make_converter = make_converter
        self._remarks: list[str] = []
        self._pictures: list[Picture] = []

    def steps(self) -> Generator[None, None, Reading]:
        """Yield between tiles. Raises BadInput when no layer gives a picture."""
        walk = LayerWalk(self._document)
        chosen = walk.chosen(self._selected)
        if not chosen:
            raise BadInput(tr("No layer is selected. Select the layers that show your subject."))
        last = self._document.fullClipRangeEndTime()
        sources = expand(walk, chosen, self._wish, last)
        hidden = {source.node.uniqueId() for source in sources if walk.is_hidden(source.node)}
        with self._readable(walk, sources) as readable, self._make_converter() as converter:
            good, areas = self._checked(readable)
            for source, box in zip(good, self._boxes(good, areas)):
                notes = self._notes(source, hidden)
                yield from self._take(source, box, notes, converter)
        self._align_frames()
        if not self._pictures:
            raise BadInput(" ".join(self._remarks))
        return Reading(
            tuple(self._pictures),
            tuple(self._remarks),
            has_groups=any(has_children(node) for node in chosen),
            has_frames=any(key_frames(node, last) for node in chosen),
            has_selection=_has_area(self._document.selection()),
        )

    @contextmanager
    def _readable(self, walk: LayerWalk, sources: list[Source]) -> Iterator[list[Source]]:
        """Give the sources; hidden ones, whose picture may be old, in a copy that shows them."""
        stale = {one.node.uniqueId() for one in sources if walk.is_stale(one.node)}
        if not stale:
            yield sources
            return
        copy = self._document.clone()
        try:
            shown = LayerWalk(copy).reveal(stale)
            copy.refreshProjection()
            copy.waitForDone()
            yield [
                dataclasses.replace(one, node=shown.get(one.node.uniqueId(), one.node))
                for one in sources
            ]
        finally:
            copy.setModified(False)
            copy.close()

    def _area(self) -> QtCore.QRect:
        """Of the canvas, or of the selection in it if there is one and it counts."""
        canvas = QtCore.QRect(0, 0, self._document.width(), self._document.height())
        selection = self._document.selection()
        if not (self._wish.inside_selection and _has_area(selection)):
            return canvas
        box = selection.x(), selection.y(), selection.width(), selection.height()
        return canvas.intersected(QtCore.QRect(*box))

    def _checked(self, sources: list[Source]) -> tuple[list[Source], list[Box]]:
        """Give the sources that show something and where; say of the others why not."""
        good, areas, whole = [], [], self._area()
        for source in sources:
            # A frame's bounds are known only once it is read.
            seen = whole if source.time is not None else source.node.bounds().intersected(whole)
            sentence = refusal(source.node, seen)
            if sentence:
                self._remarks.append(sentence)
            else:
                good.append(source)
                areas.append(seen.getRect())
        return good, areas

    def _boxes(self, sources: list[Source], areas: list[Box]) -> list[Box]:
        if any(source.time is not None for source in sources):
            return areas
        return frames(areas, self._area().getRect())

    def _take(
        self, source: Source, box: Box, notes: frozenset[str], converter: Converter
    ) -> Generator[None, None, None]:
        try:
            picture = yield from tile_reader.read(source.name, box, self._tiles(source, converter))
        except BadInput as error:
            self._remarks.append(str(error))
            return
        if picture.is_transparent:
            self._remarks.append(
                tr(
                    "“{name}” is fully transparent. Paint on it, or deselect it.",
                    name=source.name,
                )
            )
            return
        self._pictures.append(dataclasses.replace(picture, notes=notes))

    def _tiles(self, source: Source, converter: Converter) -> TileSource:
        node, space, selection = source.node, space_of(source.node), self._document.selection()

        def pixels(box: Box) -> bytes:
            if source.time is None:
                raw = bytes(node.projectionPixelData(*box))
            else:
                raw = bytes(node.pixelDataAtTime(*box, source.time))
            check_size(source.name, raw, space, box[2] * box[3])
            return converter.convert(raw, box[2], box[3], space, SRGB)

        if not (self._wish.inside_selection and _has_area(selection)):
            return TileSource(pixels)
        return TileSource(pixels, lambda box: bytes(selection.pixelData(*box)))

    def _notes(self, source: Source, hidden: set[Any]) -> frozenset[str]:
        if source.time is not None:
            return frozenset({"frame"})
        found = {"hidden"} if source.node.uniqueId() in hidden else set()
        canvas = QtCore.QRect(0, 0, self._document.width(), self._document.height())
        if not canvas.contains(source.node.bounds()):
            found.add("cut")
        return frozenset(found)

    def _align_frames(self) -> None:
        """Crop frames, which were read in full, to one common box around all that they show."""
        boxes = {
            place: shown_box(picture)
            for place, picture in enumerate(self._pictures)
            if "frame" in picture.notes
        }
        common = QtCore.QRect()
        for box in boxes.values():
            common = common.united(QtCore.QRect(*box)) if box else common
        for place in boxes:
            self._pictures[place] = cropped(self._pictures[place], common.getRect())


def _has_area(selection: Any) -> bool:
    return selection is not None and selection.width() > 0 and selection.height() > 0
