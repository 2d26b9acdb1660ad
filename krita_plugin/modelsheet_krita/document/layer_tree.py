"""Which layers can be learnt from: their order, whose picture may be stale, and why not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..backend.api_responses import LAYER_NAME_LENGTH
from ..i18n import tr
from ..qt import QtCore

SMALLEST_SIDE = 8
LONGEST_SIDE = 8192
MASKS = frozenset(
    {"transparencymask", "filtermask", "transformmask", "selectionmask", "colorizemask"}
)
# Krita draws these from other layers, and not while they are hidden.
DERIVED = frozenset({"grouplayer", "clonelayer", "filelayer", "vectorlayer", "filllayer"})


class LayerWalk:
    """All nodes of a document, top to bottom as the artist sees them, with their parents."""

    def __init__(self, document: Any) -> None:
        self._nodes: dict[Any, Any] = {}
        self._parents: dict[Any, Any] = {}
        self._enter(document.rootNode(), None)

    def _enter(self, parent: Any, parent_id: Any) -> None:
        for node in reversed(parent.childNodes()):
            key = node.uniqueId()
            self._nodes[key], self._parents[key] = node, parent_id
            self._enter(node, key)

    def chosen(self, selected: Iterable[Any]) -> list[Any]:
        """Put the selected nodes in order, without those whose group is selected too."""
        wanted = {node.uniqueId() for node in selected if node is not None}
        return [
            node
            for key, node in self._nodes.items()
            if key in wanted and not wanted & set(self._ancestors(key))
        ]

    def is_hidden(self, node: Any) -> bool:
        """Say whether the layer or a group around it is hidden."""
        key = node.uniqueId()
        return any(not self._nodes[one].visible() for one in (key, *self._ancestors(key)))

    def is_stale(self, node: Any) -> bool:
        """Say whether its picture may be old, because it or a group around it is hidden."""
        if node.type() not in DERIVED and not node.childNodes():
            return False
        passes = node.type() == "grouplayer" and node.passThroughMode()
        return passes or self.is_hidden(node)

    def reveal(self, keys: set[Any]) -> dict[Any, Any]:
        """Show these nodes and the groups around them; only for a copy of the artist's document."""
        for key in keys:
            for one in (key, *self._ancestors(key)):
                self._nodes[one].setVisible(True)
            if self._nodes[key].type() == "grouplayer":
                self._nodes[key].setPassThroughMode(False)
        return {key: self._nodes[key] for key in keys}

    def _ancestors(self, key: Any) -> list[Any]:
        found = []
        while self._parents[key] is not None:
            key = self._parents[key]
            found.append(key)
        return found


def refusal(node: Any, area: QtCore.QRect) -> str:
    """Say why the node gives no picture, or nothing. `area`: its bounds inside the canvas."""
    name, kind = f"“{node.name()[:LAYER_NAME_LENGTH]}”", node.type()
    if kind in MASKS:
        return tr("{name} is a mask. Select the layer that it belongs to instead.", name=name)
    if kind == "filterlayer":
        return tr(
            "{name} is a filter layer without a picture of its own. Select the layers it changes.",
            name=name,
        )
    if area.isEmpty():
        return _empty(node, name)
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


def _empty(node: Any, name: str) -> str:
    if node.type() == "grouplayer" and node.childNodes():
        return tr(
            "Nothing in the group {name} can be seen: its layers are hidden or empty. Show those "
            "that shall be learnt.",
            name=name,
        )
    if not node.bounds().isEmpty():
        return tr("{name} lies outside the canvas. Move it in, or deselect it.", name=name)
    return tr("{name} is empty. Paint on it, or deselect it.", name=name)
