"""Crop boxes keep layers aligned; row strips side by side are the whole image."""

from __future__ import annotations

import random

import pytest

from modelsheet_krita import image as images
from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin.binding import QRect

from modelsheet_krita.document import geometry  # isort: skip
from modelsheet_krita.document.geometry import crop_boxes  # isort: skip

SPRITE = (0, 0, 32, 32)
PAINTING = (0, 0, 2000, 2000)


def test_a_sprite_s_layers_keep_their_place_on_the_canvas() -> None:
    assert crop_boxes([(9, 2, 14, 30), (0, 2, 23, 30)], SPRITE) == [SPRITE, SPRITE]


def test_views_over_each_other_share_the_box_around_them() -> None:
    areas = [(100, 100, 400, 800), (50, 100, 450, 820)]

    assert crop_boxes(areas, PAINTING) == [(50, 100, 450, 820)] * 2


def test_figures_beside_each_other_are_read_each_by_itself() -> None:
    areas = [(0, 0, 300, 300), (700, 0, 300, 300), (1400, 1400, 300, 300)]

    assert crop_boxes(areas, PAINTING) == areas


def test_a_single_layer_is_read_where_it_is() -> None:
    assert crop_boxes([(500, 600, 300, 200)], PAINTING) == [(500, 600, 300, 200)]


@pytest.mark.parametrize(
    ("size", "placement"),
    [
        ((1500, 1000), images.Placement(10, 20)),
        ((64, 48), images.Placement(0, 0, 1536, 1152)),
        ((64, 48), images.Placement(-7, 3, 33, 17)),
    ],
    ids=["as it is", "enlarged", "reduced"],
)
def test_strips_side_by_side_are_the_picture(
    size: tuple[int, int], placement: images.Placement
) -> None:
    pixels = random.Random(1).randbytes(size[0] * 4) * size[1]
    whole = geometry.downscaled(images.Image("", *size, pixels), placement)
    box = geometry.placed_box(whole, placement)

    parts = list(geometry.row_strips(whole, placement))

    at_once = geometry.scaled_part(whole, box[2:], QRect(0, 0, *box[2:]))
    assert b"".join(images.pixels_of(strip) for strip, _ in parts) == images.pixels_of(at_once)
    tops = [part[1] for _, part in parts]
    assert tops[0] == box[1]
    assert tops == sorted(tops)
    assert sum(part[3] for _, part in parts) == box[3]
    assert {(part[0], part[2]) for _, part in parts} == {(box[0], box[2])}
    assert all(part[2] * part[3] <= geometry.STRIP_PIXELS for _, part in parts)
