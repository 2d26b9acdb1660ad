"""What is wrong with a picture to learn from, in words: small, cut, doubled, hidden, opaque."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import tr
from ..image import BYTES_PER_PIXEL, Picture, from_image, glance, to_image
from ..qt import QtCore, QtGui

SMALL_SIDE = 256  # px; large enough for a thumbnail
TINY_SIDE = 8  # px; at this size near-duplicates are the same
NEARLY = 3.0  # mean difference of channel values, of 255


@dataclass(frozen=True)
class Look:
    """What one glance at a picture gave; made once, as looking at a large one takes a while."""

    small: Picture
    tiny: bytes
    is_opaque: bool


def look(picture: Picture) -> Look:
    small = _scaled_down(picture)
    opaque = picture.pixels[3::BYTES_PER_PIXEL].count(255) * BYTES_PER_PIXEL
    return Look(small, _tiny(small), opaque == len(picture.pixels))


def inspect(pictures: Sequence[Picture], looks: Sequence[Look], resolution: int) -> list[list[str]]:
    """Sentences for each picture. `resolution`: the base model's side in px."""
    said = []
    for place, (picture, seen) in enumerate(zip(pictures, looks)):
        found = _about(picture, seen, resolution)
        twins = [
            earlier.name
            for earlier, its in zip(pictures[:place], looks)
            if _difference(its.tiny, seen.tiny) < NEARLY
        ]
        if twins:
            found.append(tr("Nearly the same as “{name}”.", name=twins[0]))
        said.append(found)
    return said


def _about(picture: Picture, seen: Look, resolution: int) -> list[str]:
    found = []
    if "hidden" in picture.notes:
        found.append(tr("It is hidden; it is learnt all the same."))
    if "cut" in picture.notes:
        found.append(tr("What lies outside the canvas is not learnt."))
    if max(picture.width, picture.height) * 2 <= resolution:
        found.append(tr("Small: there is little to see at this size."))
    if seen.is_opaque:
        found.append(tr("No transparency: the background is learnt too."))
    return found


def _scaled_down(picture: Picture) -> Picture:
    if max(picture.width, picture.height) <= SMALL_SIDE:
        return picture
    small = glance(picture, 4 * SMALL_SIDE).scaled(
        QtCore.QSize(SMALL_SIDE, SMALL_SIDE),
        QtCore.Qt.AspectRatioMode.KeepAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
    return from_image(small, picture.name)


def _tiny(picture: Picture) -> bytes:
    small = to_image(picture).scaled(
        QtCore.QSize(TINY_SIDE, TINY_SIDE),
        QtCore.Qt.AspectRatioMode.IgnoreAspectRatio,
        QtCore.Qt.TransformationMode.SmoothTransformation,
    )
    small = small.convertToFormat(QtGui.QImage.Format.Format_ARGB32_Premultiplied)
    return bytes(small.constBits().asstring(TINY_SIDE * TINY_SIDE * 4))


def _difference(one: bytes, other: bytes) -> float:
    return sum(map(abs, map(operator.sub, one, other))) / len(one)
