"""Reads animated layers out of a file of Krita's own, as Krita does when it opens one."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

TILE, PIXEL = 64, 4
Frame = tuple[tuple[int, int, int, int], bytes]  # x, y, width, height; BGRA rows


@dataclass
class Layer:
    """An animated layer with its frames by their times."""

    name: str
    is_visible: bool
    has_onion_skins: bool
    frames: dict[int, Frame]


def read(path: Path) -> list[Layer]:
    """The file's layers, the topmost first."""
    with zipfile.ZipFile(path) as archive:
        assert archive.read("mimetype") == b"application/x-krita"
        root = ElementTree.fromstring(archive.read("maindoc.xml"))
        (image,) = root
        folder = f"{image.get('name')}/layers"
        return [
            Layer(
                element.get("name", ""),
                element.get("visible") == "1",
                element.get("onionskin") == "1",
                _frames(archive, folder, element.get("keyframes", "")),
            )
            for element in next(iter(image))
        ]


def _frames(archive: zipfile.ZipFile, folder: str, file: str) -> dict[int, Frame]:
    told = ElementTree.fromstring(archive.read(f"{folder}/{file}"))
    frames = {}
    for key_frame in next(iter(told)):
        name = f"{folder}/{key_frame.get('frame')}"
        assert archive.read(f"{name}.defaultpixel") == bytes(PIXEL)
        frames[int(key_frame.get("time", ""))] = _joined(archive.read(name))
    return frames


def _joined(content: bytes) -> Frame:
    """All tiles of a frame as one picture around them."""
    head = re.match(rb"VERSION 2\nTILEWIDTH 64\nTILEHEIGHT 64\nPIXELSIZE 4\nDATA (\d+)\n", content)
    assert head is not None
    tiles, place = {}, head.end()
    for _ in range(int(head[1])):
        line = content[place : content.index(b"\n", place)]
        x, y, _kind, size = line.split(b",")
        start = place + len(line) + 1
        assert content[start] == 0, "not compressed"
        tiles[int(x), int(y)] = content[start + 1 : start + int(size)]
        place = start + int(size)
    assert place == len(content)
    left, top = min(x for x, _ in tiles), min(y for _, y in tiles)
    width, height = (max(c[axis] for c in tiles) + TILE - (left, top)[axis] for axis in (0, 1))
    pixels = bytearray(width * height * PIXEL)
    for (x, y), tile in tiles.items():
        for row in range(TILE):
            start = ((y - top + row) * width + x - left) * PIXEL
            pixels[start : start + TILE * PIXEL] = tile[row * TILE * PIXEL :][: TILE * PIXEL]
    return (left, top, width, height), bytes(pixels)
