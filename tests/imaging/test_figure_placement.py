"""A figure is found on layers and flat grounds, not on scenes; placed, it fits the selection."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelsheet.imaging.figure_placement import find_figure, pixel_size_of, place_figure
from modelsheet.imaging.rgba import enlarge_pixels

BOX = (10, 20, 39, 54)
FRAME = (64, 64)


def figure(width: int = 12, height: int = 20) -> Image.Image:
    """A figure in the middle of a frame of 32 px, its head and feet of other colours."""
    image = Image.new("RGBA", (32, 32))
    left, top = (32 - width) // 2, (32 - height) // 2
    image.paste((200, 120, 40, 255), (left, top, left + width, top + height))
    image.paste((40, 20, 10, 255), (left, top, left + width, top + 2))
    image.paste((10, 20, 90, 255), (left, top + height - 2, left + width, top + height))
    return image


def meadow(side: int = 64) -> Image.Image:
    noise = np.random.default_rng(1).normal(0, 12, (side, side, 3))
    ground = np.where(np.arange(side)[:, None, None] < side // 2, (90, 140, 200), (60, 120, 50))
    opaque = np.full((side, side, 1), 255)
    return Image.fromarray(np.dstack([ground + noise, opaque]).clip(0, 255).astype(np.uint8))


def test_what_stands_on_a_transparent_layer_is_the_figure() -> None:
    layer = figure()

    assert find_figure(layer, (4, 4, 20, 20), hard_edge=True) is layer


@pytest.mark.parametrize("colour", [(255, 255, 255, 255), (90, 140, 200, 255)])
def test_a_figure_on_a_flat_colour_is_cut_out_of_it(colour: tuple[int, int, int, int]) -> None:
    picture = Image.new("RGBA", (40, 40), colour)
    picture.alpha_composite(figure(), (4, 4))

    found = find_figure(picture, (2, 2, 38, 38), hard_edge=True)

    assert found is not None
    assert found.getchannel("A").getbbox() == (14, 10, 26, 30)


def test_a_flat_area_shows_nothing_and_a_scene_has_no_figure_to_find() -> None:
    empty = find_figure(Image.new("RGBA", FRAME, (90, 140, 200, 255)), BOX, hard_edge=True)

    assert empty is not None
    assert empty.getchannel("A").getbbox() is None
    assert find_figure(meadow(), BOX, hard_edge=True) is None


def test_a_sprite_stands_in_the_box_pixel_for_pixel() -> None:
    placed = place_figure(figure(), BOX, FRAME, pixel_size=1, pixel_art=True)

    box = placed.getchannel("A").getbbox()
    assert box == (18, 34, 30, 54)
    assert placed.crop(box).tobytes() == figure().crop((10, 6, 22, 26)).tobytes()


def test_pixels_are_as_large_as_the_canvas_s() -> None:
    placed = place_figure(figure(), (0, 0, 60, 60), FRAME, pixel_size=3, pixel_art=True)

    assert placed.getchannel("A").getbbox() == (12, 0, 48, 60)


def test_a_sprite_larger_than_the_box_shrinks_and_keeps_its_colours() -> None:
    placed = place_figure(figure(20, 30), (8, 8, 24, 24), FRAME, pixel_size=1, pixel_art=True)

    shown = np.asarray(placed)[np.asarray(placed.getchannel("A")) > 0]
    left, top, right, bottom = placed.getchannel("A").getbbox() or (0, 0, 0, 0)
    assert (top, bottom) == (8, 24)
    assert left >= 8
    assert right <= 24
    assert {tuple(each[:3]) for each in shown} <= {(200, 120, 40), (40, 20, 10), (10, 20, 90)}
    assert set(shown[:, 3]) == {255}


@pytest.mark.parametrize("pixel_size", [0, 1])
def test_a_much_larger_selection_gets_larger_pixels(pixel_size: int) -> None:
    placed = place_figure(figure(), (0, 0, 64, 64), FRAME, pixel_size=pixel_size, pixel_art=True)

    assert placed.getchannel("A").getbbox() == (14, 4, 50, 64)


def test_a_painting_fills_the_box() -> None:
    placed = place_figure(figure(), BOX, FRAME, pixel_size=0, pixel_art=False)

    left, top, right, bottom = placed.getchannel("A").point(
        lambda a: 255 * (a > 127)
    ).getbbox() or (
        0,
        0,
        0,
        0,
    )
    assert (top, bottom) == (20, 54)
    assert abs((left + right) / 2 - 24.5) <= 1


def test_an_empty_figure_places_nothing() -> None:
    placed = place_figure(Image.new("RGBA", (32, 32)), BOX, FRAME, pixel_size=1, pixel_art=True)

    assert placed.getchannel("A").getbbox() is None


def test_pixel_sizes_are_known() -> None:
    gradient = Image.linear_gradient("L").resize((900, 900)).convert("RGBA")
    ImageDraw.Draw(gradient).ellipse((100, 100, 700, 500), fill=(250, 200, 30, 255))

    assert pixel_size_of(meadow(48)) == 1
    assert pixel_size_of(enlarge_pixels(meadow(48), 4)) == 4
    assert pixel_size_of(gradient) == 0
    assert pixel_size_of(Image.new("RGBA", (64, 64), (255, 255, 255, 255))) == 0
