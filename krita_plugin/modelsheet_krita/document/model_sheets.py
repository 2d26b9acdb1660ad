"""Model sheets in a document: key views as layers, their animations, and the note of both.

The note, an annotation, says which layers belong together, so that a key view that is painted over
later can be animated again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Callable

from ..errors import BadInput
from ..i18n import tr
from ..image import Image
from ..qt import QtCore
from ..view_names import title_of, view_in
from . import area_reader
from .area_reader import TileSource
from .colour_conversion import Converter
from .geometry import Box, box_of, placed_box
from .layer_reader import read_node
from .layer_tree import LayerTree
from .layer_writer import AnimatedGroup, LayerWriter, PlacedImage

if TYPE_CHECKING:
    from krita import Document, Node

NOTE = "modelsheet/model-sheets"
NOTE_DESCRIPTION = "Modelsheet: which layers are key views of a character"


@dataclass(frozen=True)
class KeyView:
    """Layer of a key view by its id, and the box in the document that it was drawn for."""

    layer: str
    box: Box


@dataclass(frozen=True)
class ModelSheet:
    """Key views of one character in a document, with the ids of their group and animation.

    `settings` are those of its newest animation, as JSON.
    """

    name: str
    group: str
    views: dict[str, KeyView]
    animation: str = ""
    settings: dict[str, Any] = field(default_factory=dict)


def encode_note(sheets: Sequence[ModelSheet]) -> bytes:
    """Encode the note of a document's model sheets as JSON."""
    entries = [dataclasses.asdict(one) for one in sheets]
    return json.dumps({"version": 1, "sheets": entries}, ensure_ascii=False).encode()


def decode_note(content: bytes) -> list[ModelSheet]:
    """Decode the note; return nothing if it is damaged."""
    try:
        return [_decoded(entry) for entry in json.loads(content)["sheets"]]
    except (ValueError, KeyError, TypeError, AttributeError):
        return []


def _decoded(entry: dict[str, Any]) -> ModelSheet:
    views = {}
    for view, known in entry["views"].items():
        x, y, width, height = map(int, known["box"])
        views[str(view)] = KeyView(str(known["layer"]), (x, y, width, height))
    name, group, animation = (str(entry[key]) for key in ("name", "group", "animation"))
    return ModelSheet(name, group, views, animation, dict(entry["settings"]))


class ModelSheets:
    """The model sheets of one document.

    `make_writer` returns what adds layers to it, or raises BadInput when it was closed.
    """

    def __init__(
        self,
        document: Document,
        make_writer: Callable[[], LayerWriter],
        make_converter: Callable[[], Converter],
    ) -> None:
        self._document, self._make_writer = document, make_writer
        self._make_converter = make_converter

    @property
    def frames_per_second(self) -> int:
        """Frame rate of the document's animation."""
        return self._document.framesPerSecond()

    @property
    def has_animation(self) -> bool:
        """True if a layer of the document is animated."""
        return any(node.animated() for node in LayerTree(self._document).all())

    def find(self, selected: Sequence[Node]) -> ModelSheet | None:
        """Return the sheet to which one of the selected layers belongs, the newest first."""
        tree, notes = LayerTree(self._document), self._notes()
        around = {_id_of(one) for node in selected for one in tree.with_groups_around(node)}
        return next((one for one in notes[::-1] if {one.group, one.animation} & around), None)

    def read_key_views(self, sheet: ModelSheet) -> Generator[None, None, list[tuple[str, Image]]]:
        """Read the key views as they are now, with what was painted beyond their boxes.

        Yields between tiles. Raises BadInput when none is left.
        """
        found = []
        layers = self._layers_of(sheet)
        with self._make_converter() as converter:
            for view, node in layers.items():
                box = QtCore.QRect(*sheet.views[view].box)
                if not node.bounds().isEmpty():
                    box = box.united(node.bounds())
                tiles = TileSource(partial(read_node, node, converter))
                image = yield from area_reader.read(node.name(), box_of(box), tiles)
                image = dataclasses.replace(image, corner=(box.x(), box.y()))
                if not image.is_transparent:
                    found.append((view, image))
        if not found:
            raise BadInput(
                tr(
                    "The key views of “{name}” are gone or empty. Select the layer with the "
                    "character and open the model sheet again.",
                    name=sheet.name,
                )
            )
        return found

    def add_key_views(
        self,
        name: str,
        layers: Sequence[tuple[str, PlacedImage]],
        *,
        shows_all: bool,
        settings: dict[str, Any],
    ) -> Generator[None, None, ModelSheet]:
        """Add a group with a layer for each view, the first on top, in one undo step; note it.

        Yields between strips of pixels. Raises BadInput: the document was closed.
        """
        placed = [
            (dataclasses.replace(image, name=title_of(view)), place)
            for view, (image, place) in layers
        ]
        node = yield from self._make_writer().add_layers(name, placed, shows_all=shows_all)
        nodes = node.childNodes()[::-1] or [node]
        views = {
            view: KeyView(_id_of(layer), placed_box(*one))
            for (view, one), layer in zip(layers, nodes)
        }
        sheet = ModelSheet(name, _id_of(node), views, settings=settings)
        self.note(sheet)
        return sheet

    def add_animation(
        self,
        name: str,
        groups: Sequence[AnimatedGroup],
        *,
        frames_per_second: int,
        frame_count: int,
        hides: Sequence[str] = (),
    ) -> Generator[None, None, str]:
        """Add a group of animated layers in one undo step; return its id.

        The document then plays at least `frame_count` frames at this rate; the groups with the ids
        `hides`, which the animation takes the place of, are hidden. Yields between rows of tiles.
        Raises BadInput: the document was closed.
        """
        was_animated = self.has_animation
        node = yield from self._make_writer().add_animation(name, groups)
        if frames_per_second != self._document.framesPerSecond():
            self._document.setFramesPerSecond(frames_per_second)
        last = frame_count - 1
        if was_animated:
            last = max(last, self._document.fullClipRangeEndTime())
        self._document.setFullClipRangeEndTime(last)
        for group in self._nodes(hides).values():
            group.setVisible(False)
        self._document.refreshProjection()
        return _id_of(node)

    def note(self, sheet: ModelSheet) -> None:
        """Note a sheet in the document; it replaces the former note of its group."""
        others = [one for one in self._notes() if one.group != sheet.group]
        content = QtCore.QByteArray(encode_note([*others, sheet]))
        self._document.setAnnotation(NOTE, NOTE_DESCRIPTION, content)

    def _notes(self) -> list[ModelSheet]:
        if NOTE not in self._document.annotationTypes():
            return []
        return decode_note(self._document.annotation(NOTE).data())

    def _nodes(self, ids: Sequence[str]) -> dict[str, Node]:
        nodes = {_id_of(node): node for node in LayerTree(self._document).all()}
        return {one: nodes[one] for one in ids if one in nodes}

    def _layers_of(self, sheet: ModelSheet) -> dict[str, Node]:
        """Return the layers of the key views: by id, or a later one of the group by its name."""
        found = self._nodes([one.layer for one in sheet.views.values()])
        group = self._nodes([sheet.group]).get(sheet.group)
        named = {view_in(node.name()): node for node in (group.childNodes() if group else [])}
        layers = {}
        for view, known in sheet.views.items():
            node = found.get(known.layer) or named.get(view)
            if node is not None:
                layers[view] = node
        return layers


def _id_of(node: Node) -> str:
    return node.uniqueId().toString()
