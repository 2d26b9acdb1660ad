"""Training items: their shapes, their numbers, and how a mannequin is fitted."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np

from modelsheet.motion.figures.mannequin import Proportions, Warp
from sprite_training.motion.augmentation import shift_colours
from sprite_training.motion.training_data import MotionItems, RankBatches, batches


def test_items_have_the_shapes_of_the_network(revised: Path, universal: Path, split: Path) -> None:
    items = MotionItems((universal, revised), split, targets=2, seed=0)

    for number in range(12):
        item = items[number]
        assert item["drawings"].shape == item["mannequins"].shape == (3, 4, 64, 64)
        assert item["targets"].shape == item["target_mannequins"].shape == (2, 4, 64, 64)
        assert item["drawings"].dtype == item["targets"].dtype == np.uint8
        assert item["views"].shape == item["present"].shape == (3,)
        assert item["target_views"].shape == item["nearest"].shape == (2,)
        assert item["present"][item["nearest"]].all()
        assert not item["drawings"][~item["present"]].any()
        assert item["drawings"][item["present"]].any((1, 2, 3)).all()


def test_an_item_depends_on_its_number_alone(revised: Path, split: Path) -> None:
    first = MotionItems((revised,), split, targets=2, seed=0)
    second = MotionItems((revised,), split, targets=2, seed=0)
    second[3]

    np.testing.assert_array_equal(first[5]["targets"], second[5]["targets"])
    assert (first[5]["targets"] != first[6]["targets"]).any()


def test_ranks_share_the_items_of_a_step() -> None:
    ranks = [list(islice(RankBatches(10, 2, rank, 2), 2)) for rank in (0, 1)]

    assert ranks == [[[10, 11], [14, 15]], [[12, 13], [16, 17]]]


def test_batches_are_stacked_items(revised: Path, split: Path) -> None:
    items = MotionItems((revised,), split, targets=2, seed=0)

    batch = next(iter(batches(items, RankBatches(0, 3, 0, 1), workers=0)))

    assert batch["targets"].shape == (3, 2, 4, 64, 64)
    np.testing.assert_array_equal(batch["targets"][1].numpy(), items[1]["targets"])


def test_shifted_colours_stay_apart_and_greys_stay_grey() -> None:
    palette = np.array(
        [[0, 0, 0, 0], [90, 90, 90, 255], [200, 40, 40, 255], [220, 60, 60, 128]], np.uint8
    )

    shifted = shift_colours(palette, hue=1 / 3, saturation=1.0, gamma=1.0)

    assert shifted.tolist()[:3] == [[0, 0, 0, 0], [90, 90, 90, 255], [40, 200, 40, 255]]
    assert len(np.unique(shifted, axis=0)) == 4


def test_a_warp_gives_a_figure_the_new_proportions() -> None:
    old = Proportions(top=14, neck=32, feet=60, centre=32, head=16, body=12)
    picture = np.zeros((64, 64, 4), np.uint8)
    picture[14:32, 24:40] = 255
    picture[32:60, 26:38] = 255

    warped = Warp(old, Proportions(top=25, neck=34, feet=48, centre=32, head=8, body=24))(picture)

    expected = np.zeros_like(picture)
    expected[25:34, 28:36] = 255
    expected[34:48, 20:44] = 255
    np.testing.assert_array_equal(warped, expected)
