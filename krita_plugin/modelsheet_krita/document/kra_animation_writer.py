"""Write a .kra file with animated layers, alone or in groups, whose key frames are given images.

Krita's API cannot make key frames, and its import of animations crashes in 5.1; a document in the
format that Krita saves, version 2.0, it opens with every frame in its place.
"""

from __future__ import annotations

import itertools
import zipfile
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Union
from xml.sax.saxutils import quoteattr

from ..image import BYTES_PER_PIXEL, Image, Placement, pixels_of
from ..qt import QtCore
from .colour_conversion import SRGB
from .geometry import placed_box, scaled_part

TILE = 64  # px; the side of Krita's own tiles
CANVAS = 64  # px; the document is not shown, and the layer may reach beyond its edges
FOLDER = "frames/layers"
HEADER = f"VERSION 2\nTILEWIDTH {TILE}\nTILEHEIGHT {TILE}\nPIXELSIZE {BYTES_PER_PIXEL}\nDATA "
CLEAR = bytes(TILE * TILE * BYTES_PER_PIXEL)
DOCUMENT = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE DOC PUBLIC '-//KDE//DTD krita 2.0//EN' 'http://www.calligra.org/DTD/krita-2.0.dtd'>
<DOC xmlns="http://www.calligra.org/DTD/krita" editor="Modelsheet" kritaVersion="5.0.0"
 syntaxVersion="2.0">
 <IMAGE mime="application/x-kra" name="frames" width="{side}" height="{side}" x-res="72"
  y-res="72" colorspacename="{model}" profile="{profile}">
  <layers>{layers}</layers>
 </IMAGE>
</DOC>
"""
LAYER = """<layer name={name} nodetype="paintlayer" filename="{file}"
 keyframes="{file}.keyframes.xml" colorspacename="{model}" opacity="255" compositeop="normal"
 visible="{visible:d}" locked="0" x="0" y="0" intimeline="{visible:d}" onionskin="{onion:d}"/>
"""
GROUP = """<layer name={name} nodetype="grouplayer" filename="{file}" opacity="255"
 compositeop="normal" visible="{visible:d}" locked="0" x="0" y="0" passthrough="0" collapsed="0">
 <layers>{layers}</layers></layer>
"""
KEY_FRAMES = """<?xml version="1.0" encoding="UTF-8"?>
<keyframes xmlns="http://www.calligra.org/DTD/krita-keyframes">
 <channel name="content">{}</channel>
</keyframes>
"""
KEY_FRAME = '<keyframe time="{time}" frame="{name}"><offset type="point" x="0" y="0"/></keyframe>'


@dataclass(frozen=True)
class AnimatedLayer:
    """Layer with a key frame for each image, at these times, which begin with 0."""

    name: str
    images: Sequence[Image]
    times: Sequence[int]
    placement: Placement
    is_visible: bool = True
    has_onion_skins: bool = False


@dataclass(frozen=True)
class AnimatedGroup:
    """Group of animated layers or of further groups, from top to bottom."""

    name: str
    children: Sequence[AnimatedNode]
    is_visible: bool = True


AnimatedNode = Union[AnimatedLayer, AnimatedGroup]


def write(path: Path, node: AnimatedNode) -> Generator[None, None, None]:
    """Write a document with this layer or group; yields between rows of tiles."""
    files = _files(node)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/x-krita")
        layers = _layers_xml(node, {id(layer): file for file, layer in files})
        archive.writestr(
            "maindoc.xml",
            DOCUMENT.format(side=CANVAS, model=SRGB[0], profile=SRGB[2], layers=layers),
        )
        for file, layer in files:
            yield from _write_frames(archive, file, layer)


def _files(node: AnimatedNode) -> list[tuple[str, AnimatedLayer]]:
    """Return all layers, each with its file's name."""
    return [(f"layer{number}", layer) for number, layer in enumerate(_layers(node))]


def _layers(node: AnimatedNode) -> Iterator[AnimatedLayer]:
    if isinstance(node, AnimatedLayer):
        yield node
        return
    for child in node.children:
        yield from _layers(child)


def _layers_xml(node: AnimatedNode, files: dict[int, str]) -> str:
    numbers = itertools.count()

    def described(one: AnimatedNode) -> str:
        name = quoteattr(one.name)
        if isinstance(one, AnimatedLayer):
            return LAYER.format(
                name=name,
                file=files[id(one)],
                model=SRGB[0],
                visible=one.is_visible,
                onion=one.has_onion_skins,
            )
        layers = "".join(map(described, one.children))
        file = f"group{next(numbers)}"
        return GROUP.format(name=name, file=file, visible=one.is_visible, layers=layers)

    return described(node)


def _write_frames(
    archive: zipfile.ZipFile, file: str, layer: AnimatedLayer
) -> Generator[None, None, None]:
    names = [f"{file}.f{time}" if time else file for time in layer.times]
    frames = (KEY_FRAME.format(time=time, name=name) for time, name in zip(layer.times, names))
    archive.writestr(f"{FOLDER}/{file}.keyframes.xml", KEY_FRAMES.format("".join(frames)))
    for name, image in zip(names, layer.images):
        tiles = yield from _tiles(image, layer.placement)
        archive.writestr(f"{FOLDER}/{name}", f"{HEADER}{len(tiles)}\n".encode() + b"".join(tiles))
        archive.writestr(f"{FOLDER}/{name}.defaultpixel", bytes(BYTES_PER_PIXEL))


def _tiles(image: Image, placement: Placement) -> Generator[None, None, list[bytes]]:
    """Return the image in Krita's tiles of 64 px, each with its corner, without clear ones.

    The first byte of a tile, 0, says that it is not compressed.
    """
    x, y, width, height = placed_box(image, placement)
    tiles = []
    for top in range(y // TILE * TILE, y + height, TILE):
        strip = scaled_part(image, (width, height), QtCore.QRect(0, top - y, width, TILE))
        for left in range(x // TILE * TILE, x + width, TILE):
            pixels = pixels_of(strip.copy(left - x, 0, TILE, TILE))
            if pixels != CLEAR:
                size = len(pixels) + 1
                tiles.append(f"{left},{top},LZF,{size}\n".encode() + b"\0" + pixels)
        yield
    return tiles
