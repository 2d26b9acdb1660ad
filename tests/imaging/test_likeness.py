"""Likeness of sprites to drawn pictures: an eye that is missed lowers it, a held sword hardly."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from modelsheet.imaging.framing import crop_pictures, fit, fit_drawn_sprite
from modelsheet.imaging.likeness import DrawnReferences

SKIN, ROBE, HAIR, INK = (240, 190, 160), (40, 160, 150), (250, 110, 30), (20, 20, 40)


def hero(scale: int = 1, **colours: tuple[int, int, int]) -> Image.Image:
    """Draw a figure with eyes and a belt, `scale` times 32 px, without any in other colours."""
    picture = Image.new("RGBA", (32 * scale, 32 * scale))
    draw = ImageDraw.Draw(picture)

    def box(name: str, colour: tuple[int, int, int], *corners: int) -> None:
        left, top, right, bottom = (corner * scale for corner in corners)
        edge = right + scale - 1, bottom + scale - 1
        draw.rectangle((left, top, *edge), fill=colours.get(name, colour))

    box("outline", INK, 9, 2, 22, 31)
    box("hair", HAIR, 10, 3, 21, 6)
    box("face", SKIN, 10, 7, 21, 13)
    box("eyes", INK, 12, 9, 13, 10)
    box("eyes", INK, 18, 9, 19, 10)
    box("robe", ROBE, 10, 14, 21, 30)
    box("belt", (250, 220, 60), 10, 21, 21, 22)
    return picture


def blob() -> Image.Image:
    """Return the hero's outline and colours without a face, lines or a belt."""
    small = hero().resize((4, 4), Image.Resampling.BOX).resize((32, 32), Image.Resampling.BILINEAR)
    small.putalpha(hero().getchannel("A"))
    return small


def likeness(sprite: Image.Image, reference: Image.Image) -> float:
    scale = reference.width // 32
    (cropped,) = crop_pictures([reference], 32 if scale == 1 else 31)
    return DrawnReferences([fit_drawn_sprite(cropped, 32, scale)], scale).likeness([sprite])


def test_the_very_picture_has_all_of_it() -> None:
    assert likeness(hero(), hero()) == pytest.approx(1.0, abs=1e-5)


def test_an_empty_picture_has_none() -> None:
    assert likeness(Image.new("RGBA", (32, 32)), hero()) == 0.0


def test_a_blob_of_the_same_outline_and_colours_has_little() -> None:
    assert likeness(blob(), hero()) < 0.6


def test_each_thing_that_is_wrong_counts() -> None:
    exact = likeness(hero(), hero())
    no_eyes = likeness(hero(eyes=SKIN), hero())
    other_robe = likeness(hero(robe=(160, 40, 40), belt=(160, 40, 40)), hero())
    slim = hero().resize((20, 32), Image.Resampling.NEAREST)
    narrow = Image.new("RGBA", (32, 32))
    narrow.paste(slim, (6, 0))

    assert exact > no_eyes > other_robe > likeness(blob(), hero())
    assert likeness(narrow, hero()) < no_eyes


def test_one_pixel_aside_is_the_same_figure() -> None:
    moved = Image.fromarray(np.roll(np.asarray(hero()), 1, axis=1))

    assert likeness(moved, hero()) > 0.9


def test_what_the_prompt_adds_costs_little() -> None:
    armed = hero()
    ImageDraw.Draw(armed).rectangle((4, 6, 5, 24), fill=(220, 220, 230, 255))

    assert likeness(armed, hero()) > 0.85


def test_the_best_of_several_references_counts() -> None:
    red = hero(robe=(160, 40, 40))
    references = DrawnReferences([hero(), red], 1)

    assert references.likeness([hero(), red]) == pytest.approx(1.0, abs=1e-5)


def test_detail_that_a_sprite_cannot_hold_is_missed() -> None:
    rng = np.random.default_rng(0)
    texture = np.array(hero(4))
    noise = rng.integers(-90, 90, texture.shape[:2])[..., None]
    texture[..., :3] = (texture[..., :3] + noise).clip(0, 255)
    drawn = Image.fromarray(texture)
    (cropped,) = crop_pictures([drawn], 32)
    reduced = fit(cropped, 32, 32, as_sprite=True)
    references = DrawnReferences([fit_drawn_sprite(cropped, 32, 4)], 4)

    assert 0.3 < references.likeness([reduced]) < 0.9
