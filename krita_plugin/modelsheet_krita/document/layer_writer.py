"""Puts pictures into one document as new layers on top, each time as one undo step."""

from __future__ import annotations

import tempfile
import unicodedata
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Callable

from ..image import NamedPicture, Picture, Place, pixels_of
from ..qt import QtCore
from . import kra_animation
from .color_conversion import SRGB, Converter, is_srgb, space_of
from .row_strips import strips

LONGEST_NAME = 200
ACTIVE_LAYER_CHECKS_MS = (0, 100, 300)


class LayerWriting:
    """`require_open` raises BadInput when the document was closed meanwhile; `open_file` gives a
    context with the document of a file, which nobody sees."""

    def __init__(
        self,
        document: Any,
        require_open: Callable[[], None],
        *,
        make_converter: Callable[[], Converter],
        open_file: Callable[[Path], Any],
    ) -> None:
        self._document, self._require_open = document, require_open
        self._make_converter, self._open_file = make_converter, open_file

    def group(
        self, name: str, results: Sequence[NamedPicture], place: Place
    ) -> Generator[None, None, None]:
        """Add one group with a layer per result on top, in one undo step; only the first is shown.

        Yields between strips of pixels. Raises BadInput when the document was closed.
        """
        group = self._document.createGroupLayer(layer_name(name))
        layers = []
        with self._make_converter() as converter:
            for result in results:
                layers.append(self._document.createNode(layer_name(result.layer), "paintlayer"))
                yield from self._fill(layers[-1], result.picture, place, converter)
        for hidden in layers[1:]:
            hidden.setVisible(False)
        # Krita records one step per node that joins the image: so they join inside the group.
        group.setChildNodes(layers[::-1])
        self._join(group)

    def frames(
        self, name: str, pictures: Sequence[Picture], place: Place
    ) -> Generator[None, None, None]:
        """Add one animated layer with a key frame per picture on top, in one undo step.

        Yields between rows of tiles. Raises BadInput when the document was closed.
        """
        with tempfile.TemporaryDirectory(prefix="modelsheet-") as folder:
            path = Path(folder) / "frames.kra"
            yield from kra_animation.write(path, pictures, place)
            self._require_open()
            with self._open_file(path) as opened:
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

    def _join(self, node: Any) -> None:
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
        self, node: Any, picture: Picture, place: Place, converter: Converter
    ) -> Generator[None, None, None]:
        space = space_of(node)
        for strip, box in strips(picture, place):
            native = converter.convert(pixels_of(strip), box[2], box[3], SRGB, space)
            node.setPixelData(QtCore.QByteArray(native), *box)
            yield
            self._require_open()


def layer_name(text: str) -> str:
    """Cut to what Krita stores safely: one line without control characters, at most 200 long."""
    clean = "".join(" " if unicodedata.category(one)[0] == "C" else one for one in text)
    return clean if len(clean) <= LONGEST_NAME else clean[: LONGEST_NAME - 1] + "…"


def _keep_active(document: Any, active: Any, added: Any) -> None:
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
