"""Tree of a document's layers: their order, their visibility, and which give no image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from ..i18n import tr
from ..image import LAYER_NAME_LENGTH
from ..qt import QtCore

if TYPE_CHECKING:
    from krita import Document, GroupLayer, Node

SMALLEST_SIDE = 8
LONGEST_SIDE = 8192
MASKS = frozenset(
    {"transparencymask", "filtermask", "transformmask", "selectionmask", "colorizemask"}
)
# Krita draws these from other layers, and not while they are hidden.
DERIVED = frozenset({"grouplayer", "clonelayer", "filelayer", "vectorlayer", "filllayer"})


class LayerTree:
    """All nodes of a document, top to bottom as the artist sees them, with their parents."""

    def __init__(self, document: Document) -> None:
        self._nodes: dict[QtCore.QUuid, Node] = {}
        self._parents: dict[QtCore.QUuid, QtCore.QUuid | None] = {}
        self._add_children(document.rootNode(), None)

    def _add_children(self, parent: Node, parent_id: QtCore.QUuid | None) -> None:
        for node in reversed(parent.childNodes()):
            key = node.uniqueId()
            self._nodes[key], self._parents[key] = node, parent_id
            self._add_children(node, key)

    def in_order(self, selected: Iterable[Node]) -> list[Node]:
        """Sort the selected nodes from top to bottom, without those whose group is selected too."""
        wanted = {node.uniqueId() for node in selected}
        return [
            node
            for key, node in self._nodes.items()
            if key in wanted and not wanted & set(self._ancestors(key))
        ]

    def is_hidden(self, node: Node) -> bool:
        """Return True if the layer or a group around it is hidden."""
        key = node.uniqueId()
        return any(not self._nodes[one].visible() for one in (key, *self._ancestors(key)))

    def is_stale(self, node: Node) -> bool:
        """Return True if Krita's picture of the node may be old, as when it is hidden."""
        if node.type() not in DERIVED and not node.childNodes():
            return False
        if node.type() == "grouplayer" and cast("GroupLayer", node).passThroughMode():
            return True
        return self.is_hidden(node)

    def show(self, keys: Iterable[QtCore.QUuid]) -> dict[QtCore.QUuid, Node]:
        """Make these nodes and the groups around them visible; only for a copy of a document."""
        shown = {}
        for key in keys:
            for one in (key, *self._ancestors(key)):
                self._nodes[one].setVisible(True)
            if self._nodes[key].type() == "grouplayer":
                cast("GroupLayer", self._nodes[key]).setPassThroughMode(False)
            shown[key] = self._nodes[key]
        return shown

    def _ancestors(self, key: QtCore.QUuid) -> Sequence[QtCore.QUuid]:
        found = []
        parent = self._parents[key]
        while parent is not None:
            found.append(parent)
            parent = self._parents[parent]
        return found


def reason_for_no_image(node: Node, area: QtCore.QRect) -> str:
    """Return a sentence why the node gives no image, or "". `area`: its part of the canvas."""
    name, kind = f"“{node.name()[:LAYER_NAME_LENGTH]}”", node.type()
    if kind in MASKS:
        return tr("{name} is a mask. Select the layer that it belongs to instead.", name=name)
    if kind == "filterlayer":
        return tr(
            "{name} is a filter layer without a picture of its own. Select the layers it changes.",
            name=name,
        )
    if area.isEmpty():
        return _reason_for_empty(node, name)
    width, height = area.width(), area.height()
    if min(width, height) < SMALLEST_SIDE:
        return tr(
            "{name} is only {width} × {height} pixels; at least {least} × {least} are needed to "
            "learn from it. Deselect it, or paint more.",
            name=name,
            width=width,
            height=height,
            least=SMALLEST_SIDE,
        )
    if max(width, height) > LONGEST_SIDE:
        return tr(
            "{name} is {width} × {height} pixels, too large to learn from. Scale it down to {most} "
            "or less (Layer ▸ Transform ▸ Scale Layer), or crop it.",
            name=name,
            width=width,
            height=height,
            most=LONGEST_SIDE,
        )
    return ""


def _reason_for_empty(node: Node, name: str) -> str:
    if node.type() == "grouplayer" and node.childNodes():
        return tr(
            "Nothing in the group {name} can be seen: its layers are hidden or empty. Show the "
            "layers you want to learn.",
            name=name,
        )
    if not node.bounds().isEmpty():
        return tr("{name} lies outside the canvas. Move it in, or deselect it.", name=name)
    return tr("{name} is empty. Paint on it, or deselect it.", name=name)
