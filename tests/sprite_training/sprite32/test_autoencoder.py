"""The autoencoder's loss: exact figures, and backgrounds that are flat once they are clamped."""

from __future__ import annotations

import pytest
import torch

from modelsheet.diffusion.training.loss import decoding_error
from sprite_training.sprite32.autoencoder import EDGE_WEIGHT, SATURATION, unevenness

WHITE = torch.ones(1, 3, 32, 32)
GREY = torch.full((1, 3, 32, 32), 128 / 127.5 - 1)
EMPTY = torch.zeros(1, 1, 32, 32)
FLAT = torch.ones(1)


def test_what_the_clamp_cuts_off_is_no_error() -> None:
    assert decoding_error(WHITE + 0.5, WHITE).max() == 0.0
    assert decoding_error(-WHITE - 0.5, -WHITE).max() == 0.0
    torch.testing.assert_close(decoding_error(GREY + 0.5, GREY), torch.full_like(GREY, 0.5))


@pytest.mark.parametrize("sign", [1, -1])
def test_pure_colours_are_wanted_past_the_clamp(sign: int) -> None:
    pure = sign * WHITE

    assert unevenness(pure * (SATURATION + 0.2), pure, EMPTY, FLAT) == 0.0
    assert unevenness(pure, pure, EMPTY, FLAT) > 0.0


def test_grey_is_flat_within_what_the_eye_allows() -> None:
    assert unevenness(GREY + 2 / 127.5, GREY, EMPTY, FLAT) == 0.0
    assert unevenness(GREY + 9 / 127.5, GREY, EMPTY, FLAT) > 0.0


def test_figures_their_fringe_and_floors_are_left_to_the_other_loss() -> None:
    masks = EMPTY.clone()
    masks[..., 10:20, 10:20] = 1
    bright = GREY.clone()
    bright[..., 9:21, 9:21] += 1.0

    assert unevenness(bright, GREY, masks, FLAT) == 0.0
    assert unevenness(bright, GREY, EMPTY, FLAT) > 0.0
    assert unevenness(bright, GREY, EMPTY, torch.zeros(1)) == 0.0


def test_the_edge_weighs_more_than_the_middle() -> None:
    edge, middle = GREY.clone(), GREY.clone()
    edge[..., 0, 1:-1] += 0.5
    middle[..., 16, 1:-1] += 0.5

    ratio = unevenness(edge, GREY, EMPTY, FLAT) / unevenness(middle, GREY, EMPTY, FLAT)
    assert float(ratio) == pytest.approx(1 + EDGE_WEIGHT, rel=1e-3)
