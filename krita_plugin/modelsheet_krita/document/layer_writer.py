"""Insert images into one document: as new layers in one undo step, or into the active layer."""

from __future__ import annotations

import dataclasses
import tempfile
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ..errors import BadInput
from ..i18n import tr
from ..image import Image, Placement, pixels_of
from ..qt import QtCore
from . import kra_animation_writer
from .colour_conversion import SRGB, Converter, is_srgb, space_of
from .geometry import row_strips
from .kra_animation_writer import AnimatedLayer
from .layer_tree import MASKS, LayerTree

if TYPE_CHECKING:
    from krita import Document, GroupLayer, Node

LONGEST_NAME = 200
PlacedImage = tuple[Image, Placement]


@dataclasses.dataclass(frozen=True)
class AnimatedGroup:
    """Group of animated layers, the topmost first."""

    name: str
    layers: Sequence[AnimatedLayer]
    is_visible: bool = True


class LayerWriter:
    """Adds layers to `document`.

    `require_open` raises BadInput when the document was closed meanwhile; `open_hidden` opens a
    file as a document without a view.
    """

    def __init__(
        self,
        document: Document,
        require_open: Callable[[], None],
        *,
        make_converter: Callable[[], Converter],
        open_hidden: Callable[[Path], AbstractContextManager[Document]],
    ) -> None:
        self._document, self._require_open = document, require_open
        self._make_converter, self._open_hidden = make_converter, open_hidden

    def add_layers(
        self,
        name: str,
        layers: Sequence[PlacedImage],
        *,
        above_active: bool = False,
        shows_all: bool = False,
    ) -> Generator[None, None, Node]:
        """Add a layer, or a group with one for each image, the first on top; return it.

        Only the first of a group is shown unless it `shows_all`. It joins on top of all, or above
        the active layer, in one undo step. Yields between strips of pixels. Raises BadInput: the
        document was closed, or the active layer is in a hidden group.
        """
        if above_active:
            self._require_shown_parent()
        nodes: list[Node] = []
        with self._make_converter() as converter:
            for image, placement in layers:
                title = name if len(layers) == 1 else image.name
                nodes.append(self._document.createNode(layer_name(title), "paintlayer"))
                yield from self._fill(nodes[-1], image, placement, converter)
        if len(nodes) == 1:
            self._join(nodes[0], above_active=above_active)
            return nodes[0]
        for hidden in [] if shows_all else nodes[1:]:
            hidden.setVisible(False)
        group = self._group(name, nodes)
        self._join(group, above_active=above_active)
        return group

    def merge_into_active(self, image: Image, placement: Placement) -> Generator[None, None, None]:
        """Merge the image into the active paint layer.

        Krita's API writes pixels without an undo step, so a layer is added and merged down: two
        steps. Yields between strips of pixels. Raises BadInput: the layer takes none.
        """
        active = self._paintable_layer()
        with self._make_converter() as converter:
            layer = self._document.createNode(active.name(), "paintlayer")
            yield from self._fill(layer, image, placement, converter)
        active.parentNode().addChildNode(layer, active)
        self._document.waitForDone()
        layer.mergeDown()

    def add_animation(
        self, name: str, groups: Sequence[AnimatedGroup]
    ) -> Generator[None, None, Node]:
        """Add a group of these groups on top in one undo step; return it.

        A single layer is added without any group. Yields between rows of tiles. Raises BadInput
        when the document was closed.
        """
        layers = [_with_safe_name(layer) for group in groups for layer in group.layers]
        with tempfile.TemporaryDirectory(prefix="modelsheet-") as folder:
            path = Path(folder) / "frames.kra"
            yield from kra_animation_writer.write(path, layers)
            self._require_open()
            with self._open_hidden(path) as opened:
                yield
                nodes = opened.rootNode().childNodes()[::-1]
                for node in nodes:
                    node.remove()
                yield
                self._require_open()
                if not is_srgb(space_of(self._document)):
                    for node in nodes:
                        node.setColorSpace(*space_of(self._document))
                whole = nodes[0] if len(nodes) == 1 else self._grouped(name, groups, nodes)
                self._join(whole)
                yield
        return whole

    def _grouped(self, name: str, groups: Sequence[AnimatedGroup], nodes: Sequence[Node]) -> Node:
        """Return a group, which is not in the document yet, of groups with the nodes in order."""
        rest, inner = list(nodes), []
        for group in groups:
            count = len(group.layers)
            inner.append(self._group(group.name, rest[:count]))
            inner[-1].setVisible(group.is_visible)
            del rest[:count]
        return self._group(name, inner)

    def _group(self, name: str, nodes: Sequence[Node]) -> GroupLayer:
        """Return a group of these nodes, the first one on top.

        Krita records one step per node that joins the image: so they join inside the group.
        """
        group = self._document.createGroupLayer(layer_name(name))
        group.setChildNodes([*nodes][::-1])
        return group

    def _paintable_layer(self) -> Node:
        active = self._document.activeNode()
        if active is None or active.type() != "paintlayer" or active.animated():
            raise BadInput(
                tr("Select a paint layer without an animation to take the picture into it.")
            )
        if active.locked():
            raise BadInput(
                tr("“{name}” is locked. Unlock it, or select another layer.", name=active.name())
            )
        self._require_shown_parent()
        if not active.visible():
            raise BadInput(
                tr("“{name}” is hidden. Show it, or select another layer.", name=active.name())
            )
        return active

    def _require_shown_parent(self) -> None:
        """Raise BadInput if what is put beside the active layer could not be seen."""
        active = self._document.activeNode()
        if active is None:
            return
        hidden = LayerTree(self._document).hidden_group_around(active)
        if hidden is not None:
            raise BadInput(
                tr(
                    "The group “{name}” is hidden. Show it, or apply on top of all layers.",
                    name=hidden.name(),
                )
            )

    def _join(self, node: Node, *, above_active: bool = False) -> None:
        """Put the node on top of all or above the active layer, as the one undo step; activate it.

        Krita waits here until it has composed the whole canvas anew. Its API leaves no way around:
        a hidden node, an empty one, and a group composed beforehand in another document take as
        long in 5.1. Its action for a new group, filled by setChildNodes, takes 10 ms, but nothing
        then composes the canvas, and undoing it leaves the pictures there to be seen.
        """
        active = self._document.activeNode() if above_active else None
        while active is not None and active.type() in MASKS:
            active = active.parentNode()
        parent = self._document.rootNode() if active is None else active.parentNode()
        parent.addChildNode(node, active)
        if len(node.childNodes()) > 1:
            # Krita shows an only child in its group's place; several it lists but does not paint.
            self._document.refreshProjection()
        if node.type() == "grouplayer":
            node.setCollapsed(False)
        self._document.setActiveNode(node)  # the layer docker scrolls to it

    def _fill(
        self, node: Node, image: Image, placement: Placement, converter: Converter
    ) -> Generator[None, None, None]:
        space = space_of(node)
        for strip, box in row_strips(image, placement):
            native = converter.convert(pixels_of(strip), box[2], box[3], SRGB, space)
            node.setPixelData(QtCore.QByteArray(native), *box)
            yield
            self._require_open()


def _with_safe_name(layer: AnimatedLayer) -> AnimatedLayer:
    return dataclasses.replace(layer, name=layer_name(layer.name))


def layer_name(text: str) -> str:
    """Make a name that Krita stores safely: no control characters, at most 200 characters."""
    clean = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in text)
    return clean if len(clean) <= LONGEST_NAME else clean[: LONGEST_NAME - 1] + "…"
