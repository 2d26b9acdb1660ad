"""A palette is matched as the references have its colours."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modelsheet.imaging.palette_matching import match_palette
from modelsheet.imaging.palettes import apply_palette
from modelsheet.imaging.rgba import Colour

COAT, STAR, GREY, SKIN, EYE = (
    (22, 176, 168),
    (255, 226, 70),
    (186, 170, 164),
    (250, 206, 168),
    (44, 28, 66),
)
PALETTE: list[Colour] = [COAT, STAR, GREY, SKIN, EYE]
DIMMED = (200, 195, 130)  # what a decoder leaves of a small star on the coat


def figure() -> Image.Image:
    """Draw a head with eyes, a coat with a star, and grey shoes."""
    picture = Image.new("RGBA", (16, 24))
    picture.paste((*SKIN, 255), (4, 2, 12, 8))
    picture.paste((*COAT, 255), (2, 8, 14, 18))
    picture.paste((*GREY, 255), (4, 18, 12, 22))
    for place in ((6, 4), (9, 4)):
        picture.putpixel(place, (*EYE, 255))
    for place in ((7, 11), (6, 12), (7, 12), (8, 12), (7, 13)):
        picture.putpixel(place, (*STAR, 255))
    return picture


def test_references_stay_as_they_are() -> None:
    one = match_palette(figure(), PALETTE, [figure()])
    mirrored = figure().transpose(Image.Transpose.FLIP_LEFT_RIGHT)

    assert np.array_equal(np.asarray(one), np.asarray(figure()))
    found = match_palette(mirrored, PALETTE, [figure()])
    assert np.array_equal(np.asarray(found), np.asarray(mirrored))


def test_a_dimmed_star_and_stray_pixels_are_as_drawn() -> None:
    painted = figure()
    for place in ((7, 11), (6, 12), (7, 12), (8, 12), (7, 13)):
        painted.putpixel(place, (*DIMMED, 255))
    painted.putpixel((5, 6), (205, 172, 150, 255))  # stray, in the face
    by_colour = apply_palette(painted, PALETTE)
    assert by_colour.getpixel((7, 12)) == (*GREY, 255), "the nearest colour is of the shoes"
    assert by_colour.getpixel((5, 6)) == (*GREY, 255)

    found = match_palette(painted, PALETTE, [figure()])

    assert np.array_equal(np.asarray(found), np.asarray(figure()))


@pytest.mark.parametrize("colour", [STAR, EYE])
def test_what_the_references_do_not_show_has_the_nearest_colour(colour: Colour) -> None:
    """A lamp in an outline beside the figure; nothing of it is in the references."""
    red, green, blue = colour
    painted = Image.new("RGBA", (24, 24))
    painted.paste(figure(), (0, 0))
    painted.paste((5, 5, 5, 255), (16, 3, 24, 13))
    painted.paste((min(red + 9, 255), green - 9, blue, 255), (17, 4, 23, 12))

    found = match_palette(painted, PALETTE, [figure()])

    assert {found.getpixel((x, y)) for x in range(17, 23) for y in range(4, 12)} == {(*colour, 255)}


def test_an_empty_picture_and_empty_references_are_no_error() -> None:
    empty = Image.new("RGBA", (8, 8))

    assert match_palette(empty, PALETTE, [figure()]).getbbox() is None
    plain = match_palette(Image.new("RGBA", (8, 8), (*DIMMED, 255)), PALETTE, [empty])
    assert plain.getpixel((4, 4)) == (*GREY, 255)
