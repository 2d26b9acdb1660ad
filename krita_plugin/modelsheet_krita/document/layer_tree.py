"""Tree of a document's layers: their order, their visibility, and which give no image."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, cast

from ..i18n import tr
from ..qt import QtCore
from .left_out import LeftOut, quoted

if TYPE_CHECKING:
    from krita import Document, GroupLayer, Node

SMALLEST_SIDE = 8
LARGEST_LAYER = 8192
MASKS = frozenset(
    {"transparencymask", "filtermask", "transformmask", "selectionmask", "colorizemask"}
)
NORMAL = "normal"
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

    def all(self) -> list[Node]:
        """Return all nodes from top to bottom."""
        return list(self._nodes.values())

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

    def hidden_group_around(self, node: Node) -> Node | None:
        """Return the innermost hidden group that the layer is in, if any."""
        groups = (self._nodes[one] for one in self._ancestors(node.uniqueId()))
        return next((group for group in groups if not group.visible()), None)

    def with_groups_around(self, node: Node) -> list[Node]:
        """Return the layer and the groups around it, from the inside out."""
        key = node.uniqueId()
        return [self._nodes[one] for one in (key, *self._ancestors(key))]

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


def reason_for_no_image(node: Node, area: QtCore.QRect) -> LeftOut | None:
    """Return why the node gives no image, if it gives none. `area`: its part of the canvas."""
    name, kind = quoted(node.name()), node.type()
    if kind in MASKS:
        return LeftOut(
            node.name(),
            tr("{name} is a mask. Select the layer that it belongs to instead.", name=name),
            tr("{names} are masks. Select the layers that they belong to instead."),
        )
    if kind == "filterlayer":
        return LeftOut(
            node.name(),
            tr(
                "{name} is a filter layer without a picture of its own. Select the layers it "
                "changes.",
                name=name,
            ),
            tr("{names} are filter layers without pictures. Select the layers they change."),
        )
    if area.isEmpty():
        return _reason_for_empty(node, name)
    return _reason_for_size(node, name, area.width(), area.height())


def _reason_for_size(node: Node, name: str, width: int, height: int) -> LeftOut | None:
    sizes = {"name": name, "width": width, "height": height}
    if min(width, height) < SMALLEST_SIDE:
        return LeftOut(
            node.name(),
            tr(
                "{name} is only {width} × {height} pixels; at least {least} × {least} are needed "
                "to learn from it. Deselect it, or paint more.",
                least=SMALLEST_SIDE,
                **sizes,
            ),
        )
    if max(width, height) > LARGEST_LAYER:
        return LeftOut(
            node.name(),
            tr(
                "{name} is {width} × {height} pixels, too large to learn from. Scale it down to "
                "{most} or less (Layer ▸ Transform ▸ Scale Layer), or crop it.",
                most=LARGEST_LAYER,
                **sizes,
            ),
        )
    return None


def unseen_properties(node: Node) -> set[str]:
    """Return notes on what the canvas shows of a layer and its own pixels lack."""
    found = {
        "style": has_layer_style(node),
        "blending": node.blendingMode() != NORMAL,
        "inherits alpha": node.inheritAlpha(),
    }
    return {note for note, is_so in found.items() if is_so}


def has_layer_style(node: Node) -> bool:
    """Return True if an effect of the node's layer style (stroke, glow, …) is switched on."""
    # Krita writes the attributes of a tag in any order.
    tags = re.findall(r"<node [^>]*>", node.layerStyleToAsl())
    switched = [(tag, 'value="1"' in tag) for tag in tags]
    if any('key="masterFXSwitch"' in tag and not is_on for tag, is_on in switched):
        return False
    return any('key="enab"' in tag and is_on for tag, is_on in switched)


def _reason_for_empty(node: Node, name: str) -> LeftOut:
    if node.type() == "grouplayer" and node.childNodes():
        return LeftOut(
            node.name(),
            tr(
                "Nothing in the group {name} can be seen: its layers are hidden or empty. Show "
                "the layers you want to learn.",
                name=name,
            ),
            tr(
                "Nothing in the groups {names} can be seen: their layers are hidden or empty. "
                "Show those that you want to learn."
            ),
        )
    if not node.bounds().isEmpty():
        return LeftOut(
            node.name(),
            tr("{name} lies outside the canvas. Move it in, or deselect it.", name=name),
            tr("{names} lie outside the canvas. Move them in, or deselect them."),
        )
    return LeftOut(
        node.name(),
        tr("{name} is empty. Paint on it, or deselect it.", name=name),
        tr("{names} are empty. Paint on them, or deselect them."),
    )
