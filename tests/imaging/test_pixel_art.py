"""Pixel art: recovered from blur and enlargement, with few colours and hard alpha."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modelsheet.api.generate import PixelArt
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.pixel_art import (
    detect_pixel_size,
    make_pixel_art,
    pixel_art_palette,
    snap_to_grid,
    threshold_alpha,
)
from modelsheet.imaging.rgba import enlarge_pixels


def sprite(seed: int = 0) -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 4), dtype=np.uint8)
    pixels[..., 3] = np.where(pixels[..., 3] > 99, 255, 0)
    return Image.fromarray(pixels)


@pytest.mark.parametrize("factor", [1, 3, 4, 8])
def test_enlarged_pixels_are_found_and_snapped_back(factor: int) -> None:
    enlarged = enlarge_pixels(sprite(), factor)

    assert detect_pixel_size(enlarged) == factor
    assert np.array_equal(np.asarray(snap_to_grid(enlarged, factor)), np.asarray(sprite()))


def test_noise_and_flat_pictures_have_pixels_of_one() -> None:
    assert detect_pixel_size(Image.new("RGB", (64, 64), (9, 9, 9))) == 1


def test_alpha_is_all_or_nothing_and_hides_no_colour() -> None:
    soft = Image.fromarray(np.full((4, 4, 4), 127, np.uint8))
    soft.putpixel((0, 0), (1, 2, 3, 128))

    hard = np.asarray(threshold_alpha(soft))

    assert tuple(hard[0, 0]) == (1, 2, 3, 255)
    assert hard.sum() == 1 + 2 + 3 + 255


def test_colours_are_limited_to_count_subject_or_list() -> None:
    subject = Image.new("RGBA", (4, 4), (200, 100, 0, 255))

    counted = make_pixel_art(sprite(), PixelArt(colours=8), [], 1)
    own = make_pixel_art(sprite(), PixelArt(palette="subject"), [subject], 1)
    listed = make_pixel_art(sprite(), PixelArt(palette=["#000000", "#ffffff"]), [], 1)

    assert 2 <= len(colours(counted)) <= 8
    assert colours(own) == {(200, 100, 0)}
    assert colours(listed) == {(0, 0, 0), (255, 255, 255)}


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    rgba = np.asarray(picture).reshape(-1, 4)
    return {tuple(int(level) for level in each[:3]) for each in rgba if each[3]}


def test_both_keeps_the_subject_s_colours_and_those_unlike_them() -> None:
    subject = Image.new("RGBA", (4, 4), (200, 100, 0, 255))
    picture = Image.new("RGBA", (4, 4), (60, 140, 70, 255))
    picture.paste((205, 104, 6, 255), (0, 0, 2, 4))

    both = make_pixel_art(picture, PixelArt(palette="both"), [subject], 1)

    assert colours(both) == {(200, 100, 0), (60, 140, 70)}


def drawn(step: int = 0) -> Image.Image:
    """Draw a figure of four colours."""
    picture = Image.new("RGBA", (32, 32))
    for row, colour in enumerate(((200, 30, 40), (30, 20, 25), (240, 230, 90), (60, 90, 200))):
        picture.paste((*colour, 255), (8 + step, 6 * row + 4, 20, 6 * row + 10))
    return picture


@pytest.mark.parametrize("factor", [1, 4, 16])
def test_pixel_art_is_known_at_any_enlargement(factor: int) -> None:
    pictures = [enlarge_pixels(drawn(step), factor) for step in range(3)]

    assert set(pixel_art_palette(pictures)) == colours(drawn())


def test_paintings_soft_edges_and_mixed_layers_are_no_pixel_art() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    soft = drawn().resize((128, 128), Image.Resampling.LANCZOS)
    small = soft.resize((24, 24), Image.Resampling.LANCZOS)
    gradient = Image.radial_gradient("L").resize((48, 48)).convert("RGB")

    for other in (Image.fromarray(noise), soft, small, gradient, Image.new("RGBA", (9, 9))):
        assert pixel_art_palette([other]) == []
        assert pixel_art_palette([drawn(), other]) == []
    assert pixel_art_palette([enlarge_pixels(drawn(), 40).resize((1281, 1279))]) == []


def test_a_pixel_larger_than_the_picture_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Ask for a smaller pixel size"):
        make_pixel_art(sprite(), PixelArt(pixel_size=20), [])
