"""Composing: parts in their order, captions that say what is there, mirrors never."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from modelsheet.errors import NotFound
from sprite_training.sprite32.compositing import (
    BACKGROUNDS,
    Composer,
    Mixture,
    caption,
    figure,
    flat,
    over,
    stack,
)
from sprite_training.sprite32.tiles import TileSet


def composer(tiles: TileSet, seed: int = 0) -> Composer:
    return Composer(tiles, np.random.default_rng(seed))


def test_a_missing_archive_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="--tiles"):
        TileSet.load(tmp_path / "none.zip")


def test_stacking_is_alpha_compositing() -> None:
    rng = np.random.default_rng(0)
    below, above = (rng.integers(0, 256, (32, 32, 4), dtype=np.uint8) for _ in range(2))

    stacked = stack([below, above])

    reference = Image.alpha_composite(Image.fromarray(below), Image.fromarray(above))
    assert np.abs(stacked.astype(int) - np.asarray(reference)).max() <= 1


def test_the_cloak_hangs_behind_and_the_weapon_is_held_in_front(tiles: TileSet) -> None:
    parts = {
        "base": tiles.part("base")[0],
        "cloak": tiles.part("cloak")[0],
        "hand1": tiles.part("hand1")[1],
    }

    pixels = figure(parts)

    assert pixels[20, 16].tolist() == parts["base"].pixels[20, 16].tolist()
    assert pixels[20, 4].tolist() == parts["hand1"].pixels[20, 4].tolist()
    assert pixels[20, 10].tolist() == parts["cloak"].pixels[20, 10].tolist()


def test_a_caption_names_all_that_is_worn(tiles: TileSet) -> None:
    drawn = composer(tiles).random_figure()

    words = caption(drawn.subject, drawn.details, drawn.background, np.random.default_rng(7))

    assert words.startswith(drawn.subject)
    assert all(detail in words for detail in drawn.details)


def test_a_tenth_of_the_captions_are_empty() -> None:
    rng = np.random.default_rng(0)

    empty = sum(
        caption("imp", ["red hood"], "on a white background", rng) == "" for _ in range(2000)
    )

    assert empty == pytest.approx(200, abs=45)


def test_flat_backgrounds_are_exactly_their_colour(tiles: TileSet) -> None:
    maker = composer(tiles)
    drawn = [maker.random_figure() for _ in range(40)]

    for picture in drawn:
        named = picture.background.split()
        if named[-1] == "background":
            assert picture.rgb[0, 0].tolist() == list(BACKGROUNDS[named[2]])
    assert {p.background.split()[-1] for p in drawn} == {"background", "floor"}


def test_no_two_figures_repeat_for_one_seed_and_all_do_for_the_same(tiles: TileSet) -> None:
    first, again = composer(tiles, 3), composer(tiles, 3)

    drawn = [first.random_figure().rgb.tobytes() for _ in range(30)]

    assert drawn == [again.random_figure().rgb.tobytes() for _ in range(30)]
    assert len(set(drawn)) > 25


def test_compositing_over_a_colour_mixes_by_alpha() -> None:
    half = np.full((32, 32, 4), (200, 100, 0, 128), np.uint8)

    assert over(half, flat((0, 0, 0)))[0, 0].tolist() == [100, 50, 0]


def test_recoloured_parts_keep_their_shape_and_words(tiles: TileSet) -> None:
    plain = Composer(tiles, np.random.default_rng(3))
    colourful = Composer(tiles, np.random.default_rng(3), recoloured_share=1.0)

    as_drawn, recoloured = plain.random_figure(), colourful.random_figure()

    assert (recoloured.pixels[..., 3] == as_drawn.pixels[..., 3]).all()
    assert (recoloured.subject, recoloured.details) == (as_drawn.subject, as_drawn.details)
    assert (recoloured.pixels[..., :3] != as_drawn.pixels[..., :3]).any()


def test_a_mixture_draws_by_its_share(tiles: TileSet) -> None:
    items = Composer(tiles, np.random.default_rng(1), figure_share=0.0)
    figures = Composer(tiles, np.random.default_rng(2), figure_share=1.0)
    drawn = [Mixture(figures, items, 0.75).compose() for _ in range(200)]

    species = {tile.phrase for tile in tiles.part("base")}
    assert 0.65 < sum(picture.subject in species for picture in drawn) / len(drawn) < 0.85
