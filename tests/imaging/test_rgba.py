"""Straight alpha stays straight: bytes, bleeding, resampling and cropping, answers known before."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging import rgba

RED, BLUE, CLEAR = (255, 0, 0, 255), (0, 0, 255, 255), (0, 255, 0, 0)


def picture(*rows: tuple[tuple[int, int, int, int], ...]) -> Image.Image:
    return Image.fromarray(np.array(rows, dtype=np.uint8))


def test_bytes_are_blue_green_red_alpha_row_by_row() -> None:
    image = rgba.from_bgra(bytes([1, 2, 3, 4, 5, 6, 7, 8]), 2, 1)

    assert image.mode == "RGBA"
    assert image.getpixel((0, 0)) == (3, 2, 1, 4)
    assert image.getpixel((1, 0)) == (7, 6, 5, 8)


def test_bytes_survive_the_round_trip_with_the_colour_under_alpha_zero() -> None:
    content = bytes(np.random.default_rng(1).integers(0, 256, 5 * 3 * 4, dtype=np.uint8))

    assert rgba.to_bgra(rgba.from_bgra(content, 5, 3)) == content


@pytest.mark.parametrize(("width", "height"), [(2, 2), (0, 1), (1, 1), (-1, -2)])
def test_a_wrong_number_of_bytes_is_refused_in_a_sentence(width: int, height: int) -> None:
    with pytest.raises(InvalidImages, match="Send the layer again"):
        rgba.from_bgra(bytes(8), width, height)


def test_hidden_colour_is_replaced_by_the_nearest_visible_one() -> None:
    image = picture((RED, CLEAR, CLEAR, CLEAR, CLEAR, BLUE))

    bled = np.asarray(rgba.bleed_colours(image))

    assert [tuple(pixel) for pixel in bled[0, :, :3]] == [RED[:3]] * 3 + [BLUE[:3]] * 3
    assert list(bled[0, :, 3]) == [255, 0, 0, 0, 0, 255]


def test_nearest_pixels_agree_with_a_search_through_all_of_them() -> None:
    sources = np.random.default_rng(7).random((37, 53)) < 0.01
    row, column = np.indices(sources.shape)
    at = np.argwhere(sources)
    true = ((row[..., None] - at[:, 0]) ** 2 + (column[..., None] - at[:, 1]) ** 2).min(axis=-1)

    found_row, found_column = rgba.nearest_pixels(sources)

    assert sources[found_row, found_column].all()
    distance = (found_row - row) ** 2 + (found_column - column) ** 2
    assert (distance == true).mean() > 0.995  # jump flooding may miss by a pixel at a few places
    assert np.abs(np.sqrt(distance) - np.sqrt(true)).max() <= 1.0


def test_bleeding_leaves_visible_pixels_and_empty_pictures_alone() -> None:
    opaque, empty = picture((RED, BLUE)), picture((CLEAR, CLEAR))

    assert rgba.bleed_colours(opaque).tobytes() == opaque.tobytes()
    assert rgba.bleed_colours(empty).tobytes() == empty.tobytes()


@pytest.mark.parametrize("size", [(3, 3), (11, 5), (40, 40)])
def test_resampling_never_shows_the_colour_under_alpha_zero(size: tuple[int, int]) -> None:
    image = Image.new("RGBA", (20, 20), (0, 255, 0, 0))
    image.paste((200, 40, 40, 255), (6, 6, 14, 14))

    resized = np.asarray(rgba.resize(image, *size)).astype(int)

    seen = resized[resized[..., 3] > 0]
    assert np.abs(seen[:, :3] - [200, 40, 40]).max() <= 1


def test_resampling_an_opaque_picture_is_plain_lanczos() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    opaque = Image.fromarray(noise)
    expected = np.asarray(opaque.resize((7, 9), Image.Resampling.LANCZOS)).astype(int)

    resized = np.asarray(rgba.resize(opaque.convert("RGBA"), 7, 9)).astype(int)

    assert np.abs(resized[..., :3] - expected).max() <= 1
    assert (resized[..., 3] == 255).all()


def test_composite_mixes_by_alpha() -> None:
    image = picture(((200, 100, 0, 128), CLEAR))

    flat = rgba.composite(image, (0, 0, 100))

    assert flat.mode == "RGB"
    assert flat.getpixel((1, 0)) == (0, 0, 100)
    assert np.abs(np.array(flat.getpixel((0, 0))) - [100.4, 50.2, 49.8]).max() <= 1


def test_cropping_keeps_the_margin_even_beyond_the_edge() -> None:
    image = Image.new("RGBA", (10, 10), CLEAR)
    image.putpixel((0, 4), RED)

    cropped = rgba.crop_to_content(image, margin=2)

    assert cropped.size == (5, 5)
    assert cropped.getpixel((2, 2)) == RED
    assert cropped.getchannel("A").getbbox() == (2, 2, 3, 3)


def test_cropping_an_empty_picture_is_refused() -> None:
    empty = Image.new("RGBA", (4, 4), CLEAR)

    assert rgba.is_empty(empty)
    with pytest.raises(InvalidImages, match="transparent"):
        rgba.crop_to_content(empty, margin=1)


def test_enlarged_pixels_are_squares() -> None:
    enlarged = rgba.enlarge_pixels(picture((RED, BLUE)), 3)

    assert enlarged.size == (6, 3)
    assert {enlarged.getpixel((x, y)) for x in range(3) for y in range(3)} == {RED}
    assert {enlarged.getpixel((x, y)) for x in range(3, 6) for y in range(3)} == {BLUE}
