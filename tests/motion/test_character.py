"""Drawings are measured, brought to the model's size and back, or refused with what to do."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelsheet.api.animate import FigureFit, ViewName
from modelsheet.errors import InvalidImages
from modelsheet.motion.character import NamedDrawing, read_character
from modelsheet.motion.figures.mannequin import Proportions, Warp
from modelsheet.motion.figures.mannequin_archive import embedded_mannequins
from modelsheet.motion.figures.placement import from_model
from tests.motion.figure_drawings import colours_of, figure, scaled


def on_canvas(image: Image.Image, size: tuple[int, int], x: int = 0, y: int = 0) -> Image.Image:
    canvas = Image.new("RGBA", size)
    canvas.paste(image, (x, y))
    return canvas


@pytest.mark.parametrize("view", ["front", "left", "back"])
@pytest.mark.parametrize("body", ["male", "female", "child"])
def test_a_bare_figure_is_found_to_the_pixel(body: str, view: ViewName) -> None:
    true = embedded_mannequins().figure(body).proportions

    found = read_character([NamedDrawing(figure(view, body), view)])

    assert found.body == body
    np.testing.assert_allclose(astuple(found.proportions), astuple(true), atol=1)


@pytest.mark.parametrize("view", ["front", "left", "back"])
def test_other_proportions_are_followed(view: ViewName) -> None:
    old = embedded_mannequins().figure("male").proportions
    slim = Proportions(top=22, neck=36, feet=62, centre=32, head=15, body=24)
    drawn = Image.fromarray(Warp(old, slim)(np.asarray(figure(view))))

    found = read_character([NamedDrawing(drawn, view)]).proportions

    np.testing.assert_allclose(astuple(found), astuple(slim), atol=1.5)


def test_a_drawing_of_the_models_size_stays_where_it_is() -> None:
    character = read_character([NamedDrawing(figure())])

    assert (character.placement.left, character.placement.top) == (0, 0)
    assert character.drawings[0].image.tobytes() == figure().tobytes()
    np.testing.assert_array_equal(character.drawings[0].picture, np.asarray(figure()))


@pytest.mark.parametrize("side", [16, 24, 32, 48, 64, 96, 128, 256])
def test_every_size_comes_back_at_its_own(side: int) -> None:
    small = figure().crop((16, 14, 48, 62)) if side < 64 else figure()
    drawing = scaled(small, side / small.height)

    character = read_character([NamedDrawing(drawing)])
    back = from_model(character.drawings[0].picture, character.scale)

    assert 28 <= character.proportions.feet - character.proportions.top <= 62
    assert back.size == character.drawings[0].image.size
    assert colours_of(back) <= colours_of(drawing)
    if side in (64, 128, 256):  # pixels of 1, 2 and 4 px: nothing is lost
        assert character.warnings == []
        assert back.tobytes() == character.drawings[0].image.tobytes()


def test_what_a_large_drawing_loses_is_said() -> None:
    rng = np.random.default_rng(0)
    pixels = np.array(scaled(figure(), 2))
    flips = rng.random(pixels.shape[:2]) < 0.5
    pixels[flips & (pixels[..., 3] > 0), 2] ^= 8

    character = read_character([NamedDrawing(Image.fromarray(pixels))])

    assert "details of less than 2 px are lost" in character.warnings[0]


def test_a_figure_far_from_the_middle_is_found() -> None:
    canvas = on_canvas(figure(), (300, 200), 180, 90)

    character = read_character([NamedDrawing(canvas)])

    assert abs(character.placement.left - 180) <= 2
    assert abs(character.placement.top - 90) <= 3
    assert abs(character.fit().feet - 152) <= 2


def test_further_views_are_placed_like_the_first() -> None:
    beside = on_canvas(figure("left"), (128, 80), 50, 10)

    character = read_character([NamedDrawing(figure(), "front"), NamedDrawing(beside, "left")])

    second = character.drawings[1].picture
    assert int(np.flatnonzero(second[..., 3].any(1)).max()) in (60, 61, 62)
    assert abs(np.flatnonzero(second[..., 3].any(0)).mean() - 31.5) <= 2


def test_a_name_says_the_view() -> None:
    character = read_character(
        [
            NamedDrawing(figure(), None, "Hero FRONT"),
            NamedDrawing(figure("back"), None, "hero_back"),
        ]
    )

    assert [drawing.view for drawing in character.drawings] == ["front", "back"]


def test_a_fit_by_hand_takes_the_place_of_what_is_measured() -> None:
    fit = FigureFit(body="child", top=10, neck=30, feet=63, centre=31, head_width=20, body_width=25)

    character = read_character([NamedDrawing(figure())], fit)

    assert character.fit() == fit
    assert character.body == "child"


def disc(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGBA", size)
    ImageDraw.Draw(image).ellipse(box, fill=(200, 90, 40, 255))
    return image


@pytest.mark.parametrize(
    ("drawing", "sentence"),
    [
        (Image.new("RGBA", (64, 64)), "drawing 1 is empty: draw the character on it first."),
        (Image.new("RGBA", (64, 64), "white"), "has a background. Put the character alone"),
        (disc((4, 4), (1, 1, 3, 3)), "is 3 px high. Draw one of at least 8 px."),
        (on_canvas(figure(), (64, 44)), "ends at the canvas's lower edge, as a bust does"),
    ],
)
def test_what_cannot_be_animated_is_refused(drawing: Image.Image, sentence: str) -> None:
    with pytest.raises(InvalidImages) as error:
        read_character([NamedDrawing(drawing)])

    assert sentence in str(error.value)


def test_a_painting_is_refused() -> None:
    rng = np.random.default_rng(0)
    painting = np.zeros((700, 500, 4), np.uint8)
    painting[60:640, 100:400] = rng.integers(0, 256, (580, 300, 4))
    painting[60:640, 100:400, 3] = 255

    with pytest.raises(InvalidImages, match=r"580 px high: that is a painting"):
        read_character([NamedDrawing(Image.fromarray(painting))])


def test_two_figures_are_refused() -> None:
    canvas = on_canvas(figure(), (128, 64))
    canvas.paste(figure("left"), (64, 0))

    with pytest.raises(InvalidImages, match="two figures on drawing 1"):
        read_character([NamedDrawing(canvas)])


def test_two_drawings_of_one_view_are_refused() -> None:
    with pytest.raises(InvalidImages, match="Two drawings show the left view"):
        read_character([NamedDrawing(figure("left"), "left"), NamedDrawing(figure(), "left")])


def test_rows_out_of_order_are_refused() -> None:
    fit = FigureFit(body="male", top=40, neck=30, feet=63, centre=31, head_width=20, body_width=25)

    with pytest.raises(InvalidImages, match="top must be above its neck"):
        read_character([NamedDrawing(figure())], fit)


def test_a_creature_and_a_cut_figure_are_said_before() -> None:
    creature = disc((64, 64), (2, 20, 61, 60))
    cut = figure().crop((27, 0, 64, 64))

    for drawing, sentence in ((creature, "four legs"), (cut, "cut off at the left edge")):
        warnings = read_character([NamedDrawing(drawing)]).warnings
        assert [sentence in warning for warning in warnings] == [True]
