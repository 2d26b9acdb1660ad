"""Cut-outs of composites whose alpha is known: no fringe, no hole, and the figure's own colours."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw, ImageFilter

from modelsheet.imaging.keying import has_flat_background, key_out, label_regions
from modelsheet.imaging.openraster import read_layers
from modelsheet.imaging.rgba import Colour, composite, resize
from tests.paths import HERO

Draw = Callable[[Colour], Image.Image]
MAGENTA, GREEN, WHITE = (255, 0, 255), (0, 255, 0), (255, 255, 255)


def alpha_of(image: Image.Image) -> npt.NDArray[np.float64]:
    return np.asarray(image.convert("RGBA"))[..., 3] / 255.0


def noisy(image: Image.Image, deviation: float) -> Image.Image:
    noise = np.random.default_rng(5).normal(0.0, deviation, (*image.size[::-1], 3))
    return Image.fromarray((np.asarray(image) + noise).round().clip(0, 255).astype(np.uint8))


def antialiased(shape: str) -> Image.Image:
    """Draw a figure with a smooth edge: eight times as large, then scaled down."""
    large = Image.new("RGBA", (768, 768), (30, 90, 160, 0))
    pencil = ImageDraw.Draw(large)
    if shape == "disc":
        pencil.ellipse((150, 150, 600, 600), fill=(30, 90, 160, 255))
    elif shape == "ring":
        pencil.ellipse((100, 100, 660, 660), outline=(30, 90, 160, 255), width=90)
    else:
        pencil.polygon([(100, 700), (400, 60), (700, 650)], fill=(30, 90, 160, 255))
    return resize(large, 96, 96)


@pytest.mark.parametrize("layer", read_layers(HERO), ids=lambda layer: layer.name)
@pytest.mark.parametrize("colour", [MAGENTA, GREEN], ids=["magenta", "green"])
def test_a_sprite_comes_back_to_the_pixel(layer: object, colour: Colour) -> None:
    sprite = layer.image  # type: ignore[attr-defined]

    cut = key_out(composite(sprite, colour), colour)

    seen = alpha_of(sprite) == 1.0
    assert np.array_equal(alpha_of(cut), alpha_of(sprite))
    assert np.array_equal(np.asarray(cut)[seen], np.asarray(sprite)[seen])


@pytest.mark.parametrize("layer", read_layers(HERO), ids=lambda layer: layer.name)
def test_a_sprite_on_a_noisy_background_keeps_its_shape(layer: object) -> None:
    sprite = layer.image  # type: ignore[attr-defined]

    cut = key_out(noisy(composite(sprite, MAGENTA), 4.0), MAGENTA, hard_edge=True)

    assert set(np.unique(alpha_of(cut))) == {0.0, 1.0}
    assert (alpha_of(cut) != alpha_of(sprite)).sum() <= 3


def rippled(sprite: Image.Image, colour: Colour, strength: float) -> Image.Image:
    """A sprite on a background that was painted: around the figure it is up to `strength` levels
    off, as an autoencoder leaves it.
    """
    flat = np.asarray(composite(sprite, colour)).astype(float)
    seen = alpha_of(sprite) > 0
    grown = Image.fromarray(seen.astype(np.uint8)).filter(ImageFilter.MaxFilter(5))
    near = (np.asarray(grown) > 0) & (label_regions(~seen) == 1)  # outside, not in its gaps
    off = np.random.default_rng(3).uniform(-strength, strength, flat.shape)
    flat[near] += off[near]
    return Image.fromarray(flat.round().clip(0, 255).astype(np.uint8))


@pytest.mark.parametrize("layer", read_layers(HERO), ids=lambda layer: layer.name)
@pytest.mark.parametrize("colour", [MAGENTA, GREEN, WHITE], ids=["magenta", "green", "white"])
def test_what_an_autoencoder_leaves_around_a_sprite_is_no_fringe(
    layer: object, colour: Colour
) -> None:
    sprite = layer.image  # type: ignore[attr-defined]

    cut = key_out(rippled(sprite, colour, 60.0), colour, hard_edge=True)

    assert ((alpha_of(cut) > 0) & (alpha_of(sprite) == 0)).sum() <= 2
    assert ((alpha_of(cut) == 0) & (alpha_of(sprite) > 0)).sum() <= 2


@pytest.mark.parametrize("shape", ["disc", "ring", "triangle"])
@pytest.mark.parametrize("colour", [MAGENTA, WHITE, (40, 40, 40)])
def test_a_smooth_edge_comes_back_without_fringe_or_hole(shape: str, colour: Colour) -> None:
    figure = antialiased(shape)

    cut = key_out(composite(figure, colour), colour)

    error = np.abs(alpha_of(cut) - alpha_of(figure))
    assert error.max() < 0.08
    assert error.mean() < 0.004
    assert (alpha_of(cut)[alpha_of(figure) == 1.0] == 1.0).all()
    for elsewhere in ((0, 0, 0), (255, 255, 0)):
        seen = np.asarray(composite(cut, elsewhere)).astype(int)
        true = np.asarray(composite(figure, elsewhere)).astype(int)
        assert np.abs(seen - true).max() <= 16


def test_a_smooth_edge_survives_noise() -> None:
    figure = antialiased("disc")

    cut = key_out(noisy(composite(figure, MAGENTA), 3.0), MAGENTA)

    assert np.abs(alpha_of(cut) - alpha_of(figure)).mean() < 0.01
    assert (alpha_of(cut)[alpha_of(figure) == 1.0] >= 0.9).all()
    assert (alpha_of(cut)[alpha_of(figure) == 0.0] == 0.0).all()


def test_a_colour_close_to_the_background_is_no_hole_inside_the_figure() -> None:
    picture = Image.new("RGB", (20, 20), WHITE)
    picture.paste((200, 30, 30), (4, 4, 16, 16))
    picture.paste((246, 246, 246), (8, 8, 12, 12))

    alpha = alpha_of(key_out(picture, WHITE))

    assert (alpha[4:16, 4:16] == 1.0).all()


def test_an_enclosed_piece_of_background_is_cut_out() -> None:
    picture = Image.new("RGB", (20, 20), WHITE)
    picture.paste((200, 30, 30), (4, 4, 16, 16))
    picture.paste(WHITE, (8, 8, 12, 12))

    alpha = alpha_of(key_out(picture, WHITE))

    assert (alpha[8:12, 8:12] == 0.0).all()
    assert alpha.sum() == 12 * 12 - 4 * 4


CREAM, IVORY, SKIN = (250, 235, 215), (250, 245, 225), (255, 220, 190)


def fox(light: Colour) -> Image.Image:
    """A head whose light muzzle reaches the outline's lower corner."""
    image = Image.new("RGBA", (32, 32))
    pencil = ImageDraw.Draw(image)
    outer = [(6, 4), (12, 10), (20, 10), (26, 4), (27, 18), (16, 29), (5, 18)]
    pencil.polygon(outer, fill=(220, 110, 30, 255), outline=(60, 30, 10, 255))
    pencil.polygon([(10, 18), (22, 18), (16, 28)], fill=(*light, 255))
    return image


def ghost(light: Colour) -> Image.Image:
    """A light figure without an outline at its hem."""
    image = Image.new("RGBA", (32, 32))
    pencil = ImageDraw.Draw(image)
    pencil.ellipse((6, 2, 25, 20), fill=(*light, 255), outline=(40, 40, 60, 255))
    image.paste((*light, 255), (7, 11, 25, 28))
    return image


def swan(light: Colour) -> Image.Image:
    """A light figure that stands on the picture's lower border."""
    image = Image.new("RGBA", (32, 32))
    image.paste((*light, 255), (8, 14, 26, 32))
    image.paste((230, 120, 20, 255), (4, 14, 8, 17))
    return image


@pytest.mark.parametrize(
    ("light", "noise"), [(CREAM, 0.0), (CREAM, 3.0), (SKIN, 0.0), (SKIN, 3.0), (IVORY, 0.0)]
)
@pytest.mark.parametrize("draw", [fox, ghost, swan])
def test_a_light_part_at_the_edge_is_no_hole(draw: Draw, light: Colour, noise: float) -> None:
    figure = draw(light)

    cut = key_out(noisy(composite(figure, WHITE), noise), WHITE, hard_edge=True)

    lost = (alpha_of(cut) == 0) & (alpha_of(figure) == 1)
    assert lost.sum() <= 3
    assert ((alpha_of(cut) > 0) & (alpha_of(figure) == 0)).sum() <= 3


def test_a_dark_outline_loses_the_magenta_that_has_run_into_it() -> None:
    picture = Image.new("RGB", (24, 24), MAGENTA)
    picture.paste((110, 10, 112), (5, 5, 19, 19))  # an outline that is two fifths magenta
    picture.paste((30, 120, 60), (6, 6, 18, 18))

    cut = np.asarray(key_out(picture, MAGENTA, hard_edge=True))

    assert (cut[5:19, 5:19, 3] == 255).all()
    assert cut[5, 5:19, :3].max() <= 25
    assert (cut[6:18, 6:18, :3] == (30, 120, 60)).all()


def test_a_purple_cloak_keeps_its_colour_at_the_edge() -> None:
    picture = Image.new("RGB", (24, 24), MAGENTA)
    picture.paste((110, 10, 112), (5, 5, 19, 19))

    cut = np.asarray(key_out(picture, MAGENTA, hard_edge=True))

    assert (cut[5:19, 5:19] == (110, 10, 112, 255)).all()


def test_a_diagonal_outline_of_one_pixel_holds() -> None:
    picture = Image.new("RGB", (21, 21), WHITE)
    pencil = ImageDraw.Draw(picture)
    pencil.polygon([(10, 2), (18, 10), (10, 18), (2, 10)], fill=(254, 255, 254), outline=(0, 0, 0))

    alpha = alpha_of(key_out(picture, (255, 255, 255)))

    assert alpha[0, 0] == 0.0
    assert alpha[2, 10] == 1.0


def test_a_background_that_is_a_little_off_is_still_found() -> None:
    picture = Image.new("RGB", (16, 16), (243, 12, 246))
    picture.paste((20, 120, 40), (4, 4, 12, 12))

    alpha = alpha_of(key_out(picture, MAGENTA))

    assert alpha.sum() == 64


@pytest.mark.parametrize(
    ("colour", "is_one"), [(MAGENTA, True), ((235, 20, 240), True), (GREEN, False)]
)
def test_a_flat_background_is_known_by_its_border(colour: Colour, is_one: bool) -> None:
    picture = noisy(Image.new("RGB", (40, 40), colour), 3.0)
    picture.paste((20, 120, 40), (10, 10, 30, 40))

    assert has_flat_background(picture, MAGENTA) is is_one
    assert not has_flat_background(Image.effect_noise((40, 40), 90).convert("RGB"), (128, 128, 128))


def test_a_picture_without_that_background_stays_opaque() -> None:
    picture = Image.effect_noise((24, 24), 60).convert("RGB")

    assert (alpha_of(key_out(picture, MAGENTA)) == 1.0).all()


def test_hidden_pixels_have_the_figures_colour() -> None:
    picture = Image.new("RGB", (16, 16), MAGENTA)
    picture.paste((20, 120, 40), (4, 4, 12, 12))

    colours = np.asarray(key_out(picture, MAGENTA))[..., :3]

    assert (colours == [20, 120, 40]).all()


def test_regions_are_numbered_as_a_flood_fill_finds_them() -> None:
    mask = np.random.default_rng(2).random((40, 50)) < 0.6
    canvas = Image.fromarray(mask.astype(np.int32))
    number = 1
    for y, x in np.argwhere(mask):
        if canvas.getpixel((int(x), int(y))) == 1:
            number += 1
            ImageDraw.floodfill(canvas, (int(x), int(y)), number)
    flooded = np.asarray(canvas)

    region = label_regions(mask)

    pairs = set(zip(region.ravel().tolist(), flooded.ravel().tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs})


def test_a_large_picture_is_cut_out_in_reasonable_time() -> None:
    figure = resize(antialiased("ring"), 512, 512)
    start = time.process_time()

    key_out(composite(figure, MAGENTA), MAGENTA)

    assert time.process_time() - start < 10.0
