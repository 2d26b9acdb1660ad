"""The figures' own arithmetic, against pictures whose answer is known."""

from __future__ import annotations

import numpy as np

from modelsheet_benchmarks.image_distance import shifted_distances
from modelsheet_benchmarks.sprite32_metrics import _distractor, _is_flat
from sprite_training.sprite32.compositing import figure
from sprite_training.sprite32.tiles import TileSet


def test_a_shift_by_one_pixel_is_forgiven() -> None:
    rng = np.random.default_rng(0)
    truth = np.full((32, 32, 3), 255, np.uint8)
    truth[8:24, 8:24] = rng.integers(0, 255, (16, 16, 3))
    other = np.full((32, 32, 3), 255, np.uint8)
    shifted = np.roll(truth, (1, -1), axis=(0, 1))

    distances = shifted_distances(shifted, np.stack([other, truth]))

    assert distances[1] == 0.0
    assert distances[0] > 0.0


def test_a_distractor_differs_in_what_was_asked(tiles: TileSet) -> None:
    rng = np.random.default_rng(0)
    parts = {place: tiles.part(place)[0] for place in ("base", "body", "hand1", "cloak")}

    for _ in range(20):
        distractor = _distractor(parts, tiles, rng)
        assert [p.phrase for p in distractor.values()] != [p.phrase for p in parts.values()]
        assert not np.array_equal(figure(distractor), figure(parts))


def test_a_background_is_flat_up_to_eight_levels() -> None:
    picture = np.full((32, 32, 3), 100, np.uint8)
    nothing = np.zeros((32, 32), bool)
    standing = nothing.copy()
    standing[31, 10] = True

    assert _is_flat(picture, (100, 108, 92), nothing)
    assert not _is_flat(picture, (100, 109, 92), nothing)
    picture[31, 11] = 0
    assert not _is_flat(picture, (100, 100, 100), nothing)
    assert _is_flat(picture, (100, 100, 100), standing)
