"""Write a .kra file with one animated layer whose key frames are given images.

Krita's API cannot make key frames, and its import of animations crashes in 5.1; a document in the
format that Krita saves, version 2.0, it opens with every frame in its place.
"""

from __future__ import annotations

import zipfile
from collections.abc import Generator, Sequence
from pathlib import Path

from ..image import BYTES_PER_PIXEL, Image, Placement, pixels_of
from ..qt import QtCore
from .colour_conversion import SRGB
from .geometry import placed_box, scaled_part

TILE = 64  # px; the side of Krita's own tiles
CANVAS = 64  # px; the document is not shown, and the layer may reach beyond its edges
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


def write(path: Path, images: Sequence[Image], placement: Placement) -> Generator[None, None, None]:
    """Write one frame per time step from 0, each at the placement; yields between rows of tiles."""
    names = [f"layer.f{time}" if time else "layer" for time in range(len(images))]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/x-krita")
        archive.writestr("maindoc.xml", DOCUMENT)
        times = (KEY_FRAME.format(time=time, name=name) for time, name in enumerate(names))
        folder = "frames/layers"
        archive.writestr(f"{folder}/layer.keyframes.xml", KEY_FRAMES.format("".join(times)))
        for name, image in zip(names, images):
            tiles = yield from _tiles(image, placement)
            archive.writestr(
                f"{folder}/{name}", f"{HEADER}{len(tiles)}\n".encode() + b"".join(tiles)
            )
            archive.writestr(f"{folder}/{name}.defaultpixel", bytes(BYTES_PER_PIXEL))


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
