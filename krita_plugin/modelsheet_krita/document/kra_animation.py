"""Pictures as the frames of an animated layer, in a file of Krita's own.

Krita's API cannot make key frames, and its import of animations crashes in 5.1; a document in the
format that Krita saves, version 2.0, it opens with every frame in its place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Sequence
from pathlib import Path

from ..image import BYTES_PER_PIXEL, Picture, Place, pixels_of
from ..qt import QtCore
from .color_conversion import SRGB
from .row_strips import box_of, window

TILE = 64  # px; the side of Krita's own tiles
CANVAS = 64  # px; of a document that nobody sees, beyond whose edges the layer may reach
HEADER = f"VERSION 2\nTILEWIDTH {TILE}\nTILEHEIGHT {TILE}\nPIXELSIZE {BYTES_PER_PIXEL}\nDATA "
CLEAR = bytes(TILE * TILE * BYTES_PER_PIXEL)
DOCUMENT = f"""<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE DOC PUBLIC '-//KDE//DTD krita 2.0//EN' 'http://www.calligra.org/DTD/krita-2.0.dtd'>
<DOC xmlns="http://www.calligra.org/DTD/krita" editor="Modelsheet" kritaVersion="5.0.0"
 syntaxVersion="2.0">
 <IMAGE mime="application/x-kra" name="frames" width="{CANVAS}" height="{CANVAS}" x-res="72"
  y-res="72" colorspacename="{SRGB[0]}" profile="{SRGB[2]}">
  <layers>
   <layer name="frames" nodetype="paintlayer" filename="layer" keyframes="layer.keyframes.xml"
    colorspacename="{SRGB[0]}" opacity="255" compositeop="normal" visible="1" locked="0" x="0" y="0"
    intimeline="1"/>
  </layers>
 </IMAGE>
</DOC>
"""
KEY_FRAMES = """<?xml version="1.0" encoding="UTF-8"?>
<keyframes xmlns="http://www.calligra.org/DTD/krita-keyframes">
 <channel name="content">{}</channel>
</keyframes>
"""
KEY_FRAME = '<keyframe time="{time}" frame="{name}"><offset type="point" x="0" y="0"/></keyframe>'


def write(path: Path, pictures: Sequence[Picture], place: Place) -> Generator[None, None, None]:
    """Write the frames, one a time step from 0, each around the place; yields between rows of
    tiles."""
    names = [f"layer.f{time}" if time else "layer" for time in range(len(pictures))]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/x-krita")
        archive.writestr("maindoc.xml", DOCUMENT)
        times = (KEY_FRAME.format(time=time, name=name) for time, name in enumerate(names))
        folder = "frames/layers"
        archive.writestr(f"{folder}/layer.keyframes.xml", KEY_FRAMES.format("".join(times)))
        for name, picture in zip(names, pictures):
            tiles = yield from _tiles(picture, place)
            archive.writestr(
                f"{folder}/{name}", f"{HEADER}{len(tiles)}\n".encode() + b"".join(tiles)
            )
            archive.writestr(f"{folder}/{name}.defaultpixel", bytes(BYTES_PER_PIXEL))


def _tiles(picture: Picture, place: Place) -> Generator[None, None, list[bytes]]:
    """What the picture shows in Krita's tiles, each with its corner; the first byte, 0, says that
    they are not compressed."""
    x, y, width, height = box_of(picture, place)
    tiles = []
    for top in range(y // TILE * TILE, y + height, TILE):
        strip = window(picture, (width, height), QtCore.QRect(0, top - y, width, TILE))
        for left in range(x // TILE * TILE, x + width, TILE):
            pixels = pixels_of(strip.copy(left - x, 0, TILE, TILE))
            if pixels != CLEAR:
                size = len(pixels) + 1
                tiles.append(f"{left},{top},LZF,{size}\n".encode() + b"\0" + pixels)
        yield
    return tiles
