"""Insert images into one document as new layers on top, each time as one undo step."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Callable

from ..image import Image, Placement, pixels_of
from ..qt import QtCore
from . import kra_animation_writer
from .colour_conversion import SRGB, Converter, is_srgb, space_of
from .geometry import row_strips

if TYPE_CHECKING:
    from krita import Document, Node

LONGEST_NAME = 200
ACTIVE_LAYER_CHECKS_MS = (0, 100, 300)


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

    def add_group(
        self, name: str, images: Sequence[Image], placement: Placement
    ) -> Generator[None, None, None]:
        """Add one group with a layer per image on top, in one undo step; only the first is shown.

        Yields between strips of pixels. Raises BadInput when the document was closed.
        """
        group = self._document.createGroupLayer(layer_name(name))
        layers: list[Node] = []
        with self._make_converter() as converter:
            for image in images:
                layers.append(self._document.createNode(layer_name(image.name), "paintlayer"))
                yield from self._fill(layers[-1], image, placement, converter)
        for hidden in layers[1:]:
            hidden.setVisible(False)
        # Krita records one step per node that joins the image: so they join inside the group.
        group.setChildNodes(layers[::-1])
        self._join(group)

    def add_animated_layer(
        self, name: str, images: Sequence[Image], placement: Placement
    ) -> Generator[None, None, None]:
        """Add one animated layer with a key frame per image on top, in one undo step.

        Yields between rows of tiles. Raises BadInput when the document was closed.
        """
        with tempfile.TemporaryDirectory(prefix="modelsheet-") as folder:
            path = Path(folder) / "frames.kra"
            yield from kra_animation_writer.write(path, images, placement)
            self._require_open()
            with self._open_hidden(path) as opened:
                yield
                (layer,) = opened.rootNode().childNodes()
                layer.remove()
                yield
                self._require_open()
                layer.setName(layer_name(name))
                if not is_srgb(space_of(self._document)):
                    layer.setColorSpace(*space_of(self._document))
                self._join(layer)
                yield

    def _join(self, node: Node) -> None:
        """Put the node on top, as the one undo step.

        Krita waits here until it has composed the whole canvas anew. Its API leaves no way around:
        a hidden node, an empty one, and a group composed beforehand in another document take as
        long in 5.1. Its action for a new group, filled by setChildNodes, takes 10 ms, but nothing
        then composes the canvas, and undoing it leaves the pictures there to be seen.
        """
        active = self._document.activeNode()
        self._document.rootNode().addChildNode(node, None)
        if len(node.childNodes()) > 1:
            # Krita shows an only child in its group's place; several it lists but does not paint.
            self._document.refreshProjection()
        _keep_active(self._document, active, node)

    def _fill(
        self, node: Node, image: Image, placement: Placement, converter: Converter
    ) -> Generator[None, None, None]:
        space = space_of(node)
        for strip, box in row_strips(image, placement):
            native = converter.convert(pixels_of(strip), box[2], box[3], SRGB, space)
            node.setPixelData(QtCore.QByteArray(native), *box)
            yield
            self._require_open()


def layer_name(text: str) -> str:
    """Make a name that Krita stores safely: no control characters, at most 200 characters."""
    clean = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in text)
    return clean if len(clean) <= LONGEST_NAME else clean[: LONGEST_NAME - 1] + "…"


def _keep_active(document: Document, active: Node | None, added: Node) -> None:
    """Make the artist's layer active again: Krita activates the added one some time later."""
    if active is None:
        return
    added_id = added.uniqueId()

    def check() -> None:
        now = document.activeNode()
        if now is not None and now.uniqueId() == added_id:
            document.setActiveNode(active)

    for delay_ms in ACTIVE_LAYER_CHECKS_MS:
        QtCore.QTimer.singleShot(delay_ms, check)
