"""Places in one picture: each has a window as large as the base likes it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from modelsheet.imaging.regions import set_stage


def mask(size: tuple[int, int], box: tuple[int, int, int, int]) -> Image.Image:
    picture = Image.new("L", size)
    picture.paste(255, box)
    return picture


def test_two_halves_are_two_pictures_of_the_base_s_size_side_by_side() -> None:
    halves = [mask((64, 32), (0, 0, 32, 32)), mask((64, 32), (32, 0, 64, 32))]

    stage = set_stage(halves, resolution=32, step=8, cell=2)

    assert stage.size == (64, 32)
    assert [spot.window for spot in stage.spots] == [(0, 0, 16, 16), (16, 0, 32, 16)]
    assert all(spot.weight.min() == 1.0 for spot in stage.spots)
    assert not stage.ground.any()


def test_a_large_canvas_is_painted_small_enough_for_its_largest_place() -> None:
    places = [mask((900, 600), (100, 100, 400, 400)), mask((900, 600), (600, 300, 700, 500))]

    stage = set_stage(places, resolution=32, step=8, cell=2)

    assert stage.size == (96, 64)
    for spot in stage.spots:
        left, top, right, bottom = spot.window
        assert spot.weight.shape == (bottom - top, right - left)
        assert 16 <= bottom - top <= 20
        assert 16 <= right - left <= 20
        assert spot.weight.max() == 1.0
    covered = np.zeros_like(stage.ground)
    for spot in stage.spots:
        left, top, right, bottom = spot.window
        covered[top:bottom, left:right] += spot.weight
    np.testing.assert_allclose(np.minimum(covered, 1) + stage.ground, 1, atol=1e-6)


def test_a_place_of_less_than_a_latent_still_has_a_window() -> None:
    stage = set_stage(
        [mask((512, 512), (0, 0, 512, 512)), mask((512, 512), (500, 500, 501, 501))],
        resolution=32,
        step=8,
        cell=2,
    )

    assert stage.spots[1].window == (0, 0, 16, 16)
