"""Which part of the canvas is read of each layer, so that what is in one place stays in one
place.
"""

from __future__ import annotations

from collections.abc import Sequence

Box = tuple[int, int, int, int]  # x, y, width, height

# A document of a sprite's size is one frame: a staff at its edge must not push the figure aside.
_FRAME_SIDE = 128
_SHARED = 0.25  # of the area of all layers together


def frames(areas: Sequence[Box], canvas: Box) -> list[Box]:
    """Give the box to read of each layer whose visible pixels lie in `areas`, none of them empty.

    Views of one thing drawn over each other are read in one common box, as they are on the canvas;
    figures drawn beside each other each in their own.
    """
    if not areas:
        return []
    if max(canvas[2:]) <= _FRAME_SIDE:
        return [canvas] * len(areas)
    common = _around(areas)
    if all(_size(area) >= _SHARED * _size(common) for area in areas):
        return [common] * len(areas)
    return list(areas)


def _around(areas: Sequence[Box]) -> Box:
    left, top = min(area[0] for area in areas), min(area[1] for area in areas)
    right = max(area[0] + area[2] for area in areas)
    bottom = max(area[1] + area[3] for area in areas)
    return left, top, right - left, bottom - top


def _size(box: Box) -> int:
    return box[2] * box[3]
