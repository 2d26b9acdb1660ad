"""Pixels from one of Krita's colour spaces to another, on a layer that nobody sees."""

from __future__ import annotations

from typing import Any, Callable

from ..errors import BadInput
from ..i18n import tr
from ..qt import QtCore

SRGB = ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
SRGB_PROFILES = frozenset({"sRGB-elle-V2-srgbtrc.icc", "sRGB built-in"})
CHANNELS = {"RGBA": 4, "GRAYA": 2, "CMYKA": 5, "LABA": 4, "XYZA": 4, "YCbCrA": 4}
BYTES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}


class Converter:
    """Needs a scratch document only where the spaces differ; `create` makes one of 1 x 1 px."""

    def __init__(self, create: Callable[[], Any]) -> None:
        self._create = create
        self._document: Any = None

    def __enter__(self) -> Converter:
        return self

    def __exit__(self, *_: object) -> None:
        if self._document is not None:
            self._document.setModified(False)
            self._document.close()

    def convert(
        self,
        pixels: bytes,
        width: int,
        height: int,
        source: tuple[str, str, str],
        target: tuple[str, str, str],
    ) -> bytes:
        """Convert between two spaces (model, depth, profile). Raises BadInput when Krita cannot."""
        if is_srgb(source) and is_srgb(target):
            return pixels
        layer = self._scratch().createNode("conversion", "paintlayer")
        if layer.setColorSpace(*source):
            layer.setPixelData(QtCore.QByteArray(pixels), 0, 0, width, height)
            if layer.setColorSpace(*target):
                return bytes(layer.pixelData(0, 0, width, height))
        raise BadInput(
            tr(
                "Krita cannot convert {source} to {target}. Convert the document with Image ▸ "
                "Convert Image Color Space, then try again.",
                source=" ".join(source),
                target=" ".join(target),
            )
        )

    def _scratch(self) -> Any:
        if self._document is None:
            self._document = self._create()
        return self._document


def space_of(node: Any) -> tuple[str, str, str]:
    return node.colorModel(), node.colorDepth(), node.colorProfile()


def check_size(name: str, raw: bytes, space: tuple[str, str, str], pixels: int) -> None:
    """Raises BadInput: these are not the bytes of so many pixels."""
    expected = pixels * CHANNELS.get(space[0], 0) * BYTES.get(space[1], 0)
    if len(raw) != expected:
        raise BadInput(
            tr(
                "Krita gives no picture of “{name}”. Merge or rasterise it (Layer ▸ Convert), then "
                "select it again.",
                name=name,
            )
        )


def is_srgb(space: tuple[str, str, str]) -> bool:
    return space[:2] == SRGB[:2] and space[2] in SRGB_PROFILES
