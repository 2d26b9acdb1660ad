"""Places of subjects on the canvas: layers named @name, whose pixels say where each is painted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ..errors import BadInput
from ..i18n import tr
from ..image import BYTES_PER_PIXEL, Placement
from ..mentions import names_in
from ..qt import QtCore
from . import area_reader
from .area_reader import TileSource
from .colour_conversion import SRGB, ColorSpace, Converter, check_size, space_of
from .geometry import Box, box_of
from .layer_tree import MASKS, LayerTree

if TYPE_CHECKING:
    from krita import Document, Node, Selection

OPACITY = 128  # of a place that is made from the selection
COLOURS = (b"\xe0\x80\x30", b"\x30\x90\xf0", b"\x60\xc0\x50", b"\xc0\x50\xc0")  # B, G, R
LEAST_ALPHA = 32  # less is a stroke's soft edge
_INSIDE = bytes(255 * (alpha >= LEAST_ALPHA) for alpha in range(256))


@dataclass(frozen=True)
class SubjectMasks:
    """Masks of one size, a byte per pixel, 255 inside, by subject; and where they lie."""

    masks: dict[str, bytes]
    width: int
    height: int
    placement: Placement


def find_places(document: Document, names: Collection[str]) -> dict[str, Node]:
    """Return the topmost layer of each subject whose @name is a word of the layer's name."""
    found: dict[str, Node] = {}
    for node in LayerTree(document).all():
        if node.type() in MASKS:
            continue
        for name in set(names_in(node.name())) & set(names):
            found.setdefault(name, node)
    return {name: found[name] for name in names if name in found}


def read_masks(
    document: Document, places: dict[str, Node], converter: Converter, *, whole_canvas: bool
) -> SubjectMasks:
    """Read what each layer covers, on the canvas or in the box around all of them.

    Raises BadInput when a layer covers nothing, or Krita has no picture of it.
    """
    canvas = QtCore.QRect(0, 0, document.width(), document.height())
    tree, box = LayerTree(document), QtCore.QRect()
    for name, node in places.items():
        area = node.bounds().intersected(canvas)
        if tree.is_stale(node):
            raise BadInput(
                tr("Show the layer “{name}”: Krita does not draw a hidden one.", name=node.name())
            )
        if area.isEmpty():
            raise BadInput(
                tr(
                    "The layer “{layer}” is empty. Paint on it where you want @{name}.",
                    layer=node.name(),
                    name=name,
                )
            )
        box = box.united(area)
    x, y, width, height = area_box = box_of(canvas if whole_canvas else box)
    images = {
        name: area_reader.read_now(
            node.name(), area_box, TileSource(partial(_pixels, node, converter))
        )
        for name, node in places.items()
    }
    masks = {
        name: image.pixels[BYTES_PER_PIXEL - 1 :: BYTES_PER_PIXEL].translate(_INSIDE)
        for name, image in images.items()
    }
    image = next(iter(images.values()))
    placement = Placement(x + width // 2, y + height // 2, width, height)
    return SubjectMasks(masks, image.width, image.height, placement)


def make_place(
    document: Document, selection: Selection, name: str, number: int, converter: Converter
) -> Node:
    """Make a layer named @name, half transparent, that covers the selection."""
    box = selection.x(), selection.y(), selection.width(), selection.height()
    mask = selection.pixelData(*box).data()
    pixels = bytearray(COLOURS[number % len(COLOURS)] + b"\xff") * len(mask)
    pixels[BYTES_PER_PIXEL - 1 :: BYTES_PER_PIXEL] = mask
    node = document.createNode(f"@{name}", "paintlayer")
    native = converter.convert(bytes(pixels), box[2], box[3], SRGB, space_of(node))
    node.setPixelData(QtCore.QByteArray(native), *box)
    node.setOpacity(OPACITY)
    return node


def _pixels(node: Node, converter: Converter, box: Box) -> bytes:
    space: ColorSpace = space_of(node)
    raw = node.projectionPixelData(*box).data()
    check_size(node.name(), raw, space, box[2] * box[3])
    return converter.convert(raw, box[2], box[3], space, SRGB)
