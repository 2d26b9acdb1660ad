"""Cut-outs leave the edges of their frames free where there is room, and lose no pixel by it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from modelsheet.imaging.sprite_alignment import move_off_edges, touches_edge


def figure(left: int, top: int, right: int, bottom: int) -> Image.Image:
    picture = Image.new("RGBA", (12, 12))
    noise = np.random.default_rng(4).integers(0, 256, (bottom - top, right - left, 4), np.uint8)
    noise[..., 3] = 255
    picture.paste(Image.fromarray(noise), (left, top))
    return picture


@pytest.mark.parametrize(
    ("box", "moved"),
    [
        ((3, 4, 9, 12), (3, 3, 9, 11)),
        ((0, 0, 5, 5), (1, 1, 6, 6)),
        ((2, 1, 12, 11), (1, 1, 11, 11)),
        ((3, 3, 9, 9), (3, 3, 9, 9)),
        ((0, 3, 11, 12), (0, 2, 11, 11)),
    ],
)
def test_a_figure_moves_off_the_edges_it_touches(
    box: tuple[int, int, int, int], moved: tuple[int, int, int, int]
) -> None:
    before = figure(*box)

    after = move_off_edges(before)

    assert after.size == before.size
    assert after.getchannel("A").getbbox() == moved
    assert np.array_equal(np.asarray(after.crop(moved)), np.asarray(before.crop(box)))
    assert touches_edge(after) is (moved[2] - moved[0] > 10)


def test_an_empty_picture_stays_as_it_is() -> None:
    assert move_off_edges(Image.new("RGBA", (4, 4))).getbbox() is None
