"""A large picture strip by strip is the picture."""

from __future__ import annotations

import random

import pytest

from modelsheet_krita import image as picture
from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import QRect

from modelsheet_krita.document import row_strips  # isort: skip


@pytest.mark.parametrize(
    ("size", "place"),
    [
        ((1500, 1000), picture.Place(10, 20)),
        ((64, 48), picture.Place(0, 0, 1536, 1152)),
        ((64, 48), picture.Place(-7, 3, 33, 17)),
    ],
    ids=["as it is", "enlarged", "reduced"],
)
def test_strips_side_by_side_are_the_picture(size: tuple[int, int], place: picture.Place) -> None:
    pixels = random.Random(1).randbytes(size[0] * 4) * size[1]
    whole = row_strips.fitted(picture.Picture("", *size, pixels), place)
    box = row_strips.box_of(whole, place)

    parts = list(row_strips.strips(whole, place))

    at_once = row_strips.window(whole, box[2:], QRect(0, 0, *box[2:]))
    assert b"".join(picture.pixels_of(image) for image, _ in parts) == picture.pixels_of(at_once)
    tops = [part[1] for _, part in parts]
    assert tops[0] == box[1]
    assert tops == sorted(tops)
    assert sum(part[3] for _, part in parts) == box[3]
    assert {(part[0], part[2]) for _, part in parts} == {(box[0], box[2])}
    assert all(part[2] * part[3] <= row_strips.STRIP_PIXELS for _, part in parts)
