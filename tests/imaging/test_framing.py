"""Pictures in the frame of a base model: what is cropped, kept whole, enlarged and reduced."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from modelsheet.imaging.framing import crop_pictures, fit, looks_like_pixel_art
from modelsheet.imaging.rgba import enlarge_pixels

INK, GREEN, WHITE = (20, 20, 30, 255), (70, 160, 50, 255), (250, 250, 245, 255)


def frog() -> Image.Image:
    """Draw a green body with an outline of one pixel and two eyes."""
    picture = Image.new("RGBA", (64, 64))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((10, 14, 53, 59), fill=GREEN, outline=INK)
    for left in (18, 36):
        draw.ellipse((left, 16, left + 10, 26), fill=WHITE, outline=INK)
        draw.rectangle((left + 4, 19, left + 7, 23), fill=INK)
    return picture


def colours(picture: Image.Image) -> set[tuple[int, ...]]:
    rgba = np.asarray(picture).reshape(-1, 4)
    return {tuple(map(int, pixel)) for pixel in rgba if pixel[3]}


def test_pixel_art_grows_by_whole_numbers_only() -> None:
    picture = Image.new("RGBA", (16, 20))
    picture.putpixel((8, 10), (255, 0, 0, 255))

    grown = fit(picture, 64, 64, as_sprite=False)

    alpha = np.asarray(grown.getchannel("A"))
    assert grown.size == (64, 64)
    assert (alpha > 0).sum() == 9  # three times, not 3.2


def test_a_sprite_of_the_base_s_size_is_learnt_as_it_is() -> None:
    pixels = np.random.default_rng(0).integers(0, 4, (32, 32, 4), dtype=np.uint8) * 80
    picture = Image.fromarray(pixels)

    assert np.array_equal(np.asarray(fit(picture, 32, 32, as_sprite=True)), pixels)


def test_a_smaller_sprite_stands_on_the_ground() -> None:
    picture = Image.new("RGBA", (10, 20), (200, 0, 0, 255))

    box = fit(picture, 32, 32, as_sprite=True).getchannel("A").getbbox()

    assert box == (11, 12, 21, 32)


def test_photographs_are_no_pixel_art() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 4), dtype=np.uint8)

    assert not looks_like_pixel_art(Image.fromarray(noise))


def test_reduced_pixel_art_keeps_its_colours_and_eyes() -> None:
    reduced = fit(crop_pictures([frog()], 32)[0], 32, 32, as_sprite=True)

    rgba = np.asarray(reduced)
    assert colours(reduced) == {INK, GREEN, WHITE}  # none mixed
    is_white = (rgba[..., :3] == WHITE[:3]).all(axis=-1) & (rgba[..., 3] == 255)
    left, right = is_white[:, :16], is_white[:, 16:]
    for eye in (left, right):
        rows, columns = np.nonzero(eye)
        inside = rgba[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
        assert eye.sum() >= 6
        assert (inside[..., :3] == INK[:3]).all(axis=-1).any()  # a pupil


def test_a_large_frame_is_cropped_to_the_figure_for_a_sprite_model() -> None:
    prepared = fit(crop_pictures([frog()], 32)[0], 32, 32, as_sprite=True)

    assert prepared.getchannel("A").getbbox() == (0, 0, 31, 32)  # 44 × 46 px in the drawing


def test_frames_of_one_size_are_reduced_alike() -> None:
    plain, hat = frog(), frog()
    ImageDraw.Draw(hat).rectangle((28, 4, 35, 13), fill=(250, 210, 60, 255))

    cropped = [fit(each, 32, 32, as_sprite=True) for each in crop_pictures([plain, hat], 32)]

    below = [np.asarray(each)[8:] for each in cropped]
    assert np.array_equal(*below)


def test_enlarged_pixel_art_is_learnt_at_its_drawn_size() -> None:
    rng = np.random.default_rng(0)
    drawn = Image.fromarray(rng.integers(0, 3, (32, 32, 4), dtype=np.uint8) * 127)
    drawn.putpixel((0, 0), (1, 2, 3, 255))
    drawn.putpixel((31, 31), (1, 2, 3, 255))

    for factor in (2, 3, 20):
        (cropped,) = crop_pictures([enlarge_pixels(drawn, factor)], 32)
        learnt = np.array(fit(cropped, 32, 32, as_sprite=True))
        seen = np.array(drawn)
        for each in (learnt, seen):
            each[each[..., 3] == 0] = 0
        assert np.array_equal(learnt, seen)


def test_a_reduced_painting_has_a_hard_edge_in_a_sprite_only() -> None:
    painting = frog().resize((512, 512), Image.Resampling.BICUBIC)

    sprite = fit(crop_pictures([painting], 32)[0], 32, 32, as_sprite=True)
    picture = fit(crop_pictures([painting])[0], 128, 128, as_sprite=False)

    assert set(np.unique(np.asarray(sprite)[..., 3])) == {0, 255}
    assert len(np.unique(np.asarray(picture)[..., 3])) > 2


def test_a_photograph_fills_the_frame() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    photograph = Image.fromarray(noise).convert("RGBA")

    prepared = fit(crop_pictures([photograph], 32)[0], 32, 32, as_sprite=True)

    assert prepared.getchannel("A").getextrema() == (255, 255)
