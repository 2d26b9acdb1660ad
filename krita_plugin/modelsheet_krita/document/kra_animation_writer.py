"""Write a .kra file with animated layers whose key frames are given images.

Krita's API cannot make key frames, and its import of animations crashes in 5.1; a document in the
format that Krita saves, version 2.0, it opens with every frame in its place.
"""

from __future__ import annotations

import html
import zipfile
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

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
LAYER = """<layer name="{name}" nodetype="paintlayer" filename="{file}"
 keyframes="{file}.keyframes.xml" colorspacename="{model}" opacity="255" compositeop="normal"
 visible="{visible:d}" locked="0" x="0" y="0" intimeline="{visible:d}" onionskin="{onion:d}"/>
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


def write(path: Path, layers: Sequence[AnimatedLayer]) -> Generator[None, None, None]:
    """Write a document with these layers, the topmost first; yields between rows of tiles."""
    files = [(f"layer{number}", layer) for number, layer in enumerate(layers)]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/x-krita")
        described = "".join(_layer_xml(file, layer) for file, layer in files)
        archive.writestr(
            "maindoc.xml",
            DOCUMENT.format(side=CANVAS, model=SRGB[0], profile=SRGB[2], layers=described),
        )
        for file, layer in files:
            yield from _write_frames(archive, file, layer)


def _layer_xml(file: str, layer: AnimatedLayer) -> str:
    return LAYER.format(
        name=html.escape(layer.name),
        file=file,
        model=SRGB[0],
        visible=layer.is_visible,
        onion=layer.has_onion_skins,
    )


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
