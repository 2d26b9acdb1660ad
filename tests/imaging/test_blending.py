"""Blending modes give the levels that Krita 5.1 exports for the same OpenRaster layers."""

from __future__ import annotations

import pytest
from PIL import Image

from modelsheet.imaging.blending import blend, is_known
from modelsheet.imaging.openraster import Group, Layer, flatten

BACKDROP, SOURCE = (30, 140, 60, 200), (120, 110, 150, 128)
KRITA = [
    ("svg:src-over", (81, 123, 111, 228)),
    ("svg:dst-in", (30, 140, 60, 100)),
    ("svg:dst-out", (30, 140, 60, 100)),
    ("svg:src-atop", (75, 125, 105, 200)),
    ("svg:multiply", (35, 102, 59, 228)),
    ("svg:screen", (88, 159, 121, 228)),
    ("svg:overlay", (40, 130, 75, 228)),
    ("svg:darken", (41, 123, 70, 228)),
    ("svg:lighten", (81, 136, 110, 228)),
    ("svg:color-dodge", (53, 183, 107, 228)),
    ("svg:color-burn", (28, 75, 44, 228)),
    ("svg:hard-light", (40, 129, 85, 228)),
    ("svg:soft-light", (40, 133, 75, 228)),
    ("svg:difference", (67, 88, 83, 228)),
    ("krita:exclusion", (82, 132, 105, 228)),
    ("krita:linear_burn", (28, 75, 44, 228)),
    ("krita:linear light", (35, 121, 89, 228)),
    ("krita:subtract", (28, 88, 44, 228)),
    ("krita:divide", (56, 187, 88, 228)),
    ("krita:pin_light", (41, 136, 70, 228)),
    ("svg:plus", (94, 185, 136, 228)),
    ("svg:color", (72, 114, 101, 228)),
    ("svg:luminosity", (50, 145, 78, 228)),
    ("svg:hue", (74, 108, 126, 228)),
    ("svg:saturation", (60, 124, 81, 228)),
]


def plain(colour: tuple[int, int, int, int], size: tuple[int, int] = (2, 2)) -> Image.Image:
    return Image.new("RGBA", size, colour)


@pytest.mark.parametrize(("mode", "expected"), KRITA)
def test_a_mode_gives_what_krita_gives(mode: str, expected: tuple[int, ...]) -> None:
    pixel = blend(plain(BACKDROP), plain(SOURCE), mode).getpixel((1, 1))

    assert is_known(mode)
    assert max(abs(ours - theirs) for ours, theirs in zip(pixel, expected, strict=True)) <= 2


def test_a_mode_that_nobody_knows_is_not_known() -> None:
    assert not is_known("krita:hard_mix")


def test_nothing_above_changes_no_visible_level() -> None:
    for mode, _ in KRITA:
        if mode != "svg:dst-in":
            assert blend(plain(BACKDROP), plain((0, 0, 0, 0)), mode).getpixel((0, 0)) == BACKDROP


def test_pictures_higher_than_a_strip_are_blended_to_their_end() -> None:
    below, above = plain(BACKDROP, (2, 600)), plain(SOURCE, (2, 600))

    assert len(blend(below, above, "svg:multiply").getcolors() or []) == 1


def test_a_small_picture_above_changes_its_own_place_alone() -> None:
    above = plain((0, 0, 0, 0), (4, 4))
    above.paste(SOURCE, (1, 2, 2, 3))

    for mode, expected in KRITA[1:]:
        result = blend(plain(BACKDROP, (4, 4)), above, mode)
        around = (30, 140, 60, 0) if mode == "svg:dst-in" else BACKDROP
        assert result.getpixel((0, 0)) == around
        assert abs(result.getpixel((1, 2))[1] - expected[1]) <= 2


def test_an_isolated_group_is_blended_by_itself_and_another_with_what_is_below() -> None:
    shade = Layer("shade", plain((0, 0, 0, 255)), opacity=0.5, mode="svg:multiply")
    flat = Layer("flat", plain((200, 100, 50, 255)))
    empty = Layer("empty", plain((0, 0, 0, 0)))

    through = flatten([flat, Group("g", (empty, shade), isolated=False)], (2, 2))
    isolated = flatten([flat, Group("g", (empty, shade))], (2, 2))
    cut = Layer("cut", plain((0, 0, 0, 255)), mode="svg:dst-out")

    assert through.getpixel((0, 0)) == isolated.getpixel((0, 0)) == (100, 50, 25, 255)
    through = flatten([flat, Group("g", (cut,), isolated=False, opacity=0.5)], (2, 2))
    isolated = flatten([flat, Group("g", (cut,), opacity=0.5)], (2, 2))
    assert through.getpixel((0, 0))[3] in (127, 128)
    assert isolated.getpixel((0, 0)) == (200, 100, 50, 255)
