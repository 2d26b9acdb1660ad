"""Convert pixels between Krita's colour spaces, on a layer of a document that is not shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Callable

from ..errors import BadInput
from ..i18n import tr
from ..qt import QtCore

if TYPE_CHECKING:
    from krita import Document, Node

ColorSpace = tuple[str, str, str]  # model, depth, profile

SRGB = ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
SRGB_PROFILES = frozenset({"sRGB-elle-V2-srgbtrc.icc", "sRGB built-in"})
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4, "XYZA": 4, "YCbCrA": 4}
BYTES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}


class Converter:
    """Converts between two colour spaces.

    `create` makes a scratch document of 1 x 1 px, which is needed only where the spaces differ.
    """

    def __init__(self, create: Callable[[], Document]) -> None:
        self._create = create
        self._document: Document | None = None

    def __enter__(self) -> Converter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._document is not None:
            self._document.setModified(False)
            self._document.close()

    def convert(
        self, pixels: bytes, width: int, height: int, source: ColorSpace, target: ColorSpace
    ) -> bytes:
        """Convert width * height pixels. Raises BadInput when Krita cannot."""
        if is_srgb(source) and is_srgb(target):
            return pixels
        layer = self._scratch_document().createNode("conversion", "paintlayer")
        if layer.setColorSpace(*source):
            layer.setPixelData(QtCore.QByteArray(pixels), 0, 0, width, height)
            if layer.setColorSpace(*target):
                return layer.pixelData(0, 0, width, height).data()
        raise BadInput(
            tr(
                "Krita cannot convert {source} to {target}. Convert the document with Image ▸ "
                "Convert Image Color Space, then try again.",
                source=" ".join(source),
                target=" ".join(target),
            )
        )

    def _scratch_document(self) -> Document:
        if self._document is None:
            self._document = self._create()
        return self._document


def space_of(node: Node | Document) -> ColorSpace:
    """Return the colour space of a layer or document."""
    return node.colorModel(), node.colorDepth(), node.colorProfile()


def check_size(name: str, raw: bytes, space: ColorSpace, pixels: int) -> None:
    """Check that `raw` has the bytes of so many pixels. Raises BadInput."""
    expected = pixels * CHANNELS.get(space[0], 0) * BYTES.get(space[1], 0)
    if len(raw) != expected:
        raise BadInput(
            tr(
                "Krita gives no picture of “{name}”. Merge or rasterise it (Layer ▸ Convert), then "
                "select it again.",
                name=name,
            )
        )


def is_srgb(space: ColorSpace) -> bool:
    """Return True for 8-bit sRGB, in which the backend works."""
    return space[:2] == SRGB[:2] and space[2] in SRGB_PROFILES
