"""The network's loss and its pictures, against plain computations."""

from __future__ import annotations

import torch

from modelsheet.motion.network.colours import code_colours, colour_codes
from modelsheet.motion.network.model import MotionConfig, MotionModel, nearest_drawing
from sprite_training.motion.losses import PointedLogProbability, SampledPixels, palettes
from sprite_training.motion.losses import colour_log_probability as log_probability


def test_codes_keep_each_colour_and_clear_pixels_are_none() -> None:
    pictures = torch.randint(0, 256, (2, 4, 8, 8), dtype=torch.uint8)
    pictures[:, 3, :4], pictures[:, 3, 4:] = 0, 200

    codes = colour_codes(pictures)

    assert not codes[:, :4].any()
    assert torch.equal(code_colours(codes)[:, 4:], pictures.movedim(1, -1)[:, 4:])


def pointers() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Make queries (2, 5, 6), keys (2, 7, 6), match (2, 5, 7) and present (2, 7)."""
    torch.manual_seed(0)
    queries = torch.randn(2, 5, 6, dtype=torch.float64, requires_grad=True)
    keys = torch.randn(2, 7, 6, dtype=torch.float64, requires_grad=True)
    present = torch.ones(2, 7, dtype=torch.bool)
    present[1, 5:] = False
    match = torch.rand(2, 5, 7) < 0.5
    match[..., 0] = True
    return queries, keys, match, present


def test_the_pointer_loss_is_the_log_of_a_softmaxs_share() -> None:
    queries, keys, match, present = pointers()
    attention = (queries @ keys.mT).masked_fill(~present[:, None], -torch.inf).softmax(-1)
    expected = (attention * match).sum(-1).log()
    expected_gradients = torch.autograd.grad(expected.square().sum(), (queries, keys))

    found = PointedLogProbability.apply(queries, keys, match, present)
    gradients = torch.autograd.grad(found.square().sum(), (queries, keys))

    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients, expected_gradients)


def test_the_colours_probability_mixes_pointing_and_painting() -> None:
    queries, keys, _, _ = pointers()
    codes = torch.tensor([[5, 5, 9, 9, 9, 7, 7], [5, 9, 9, 5, 5, 0, 0]]) << 24 | 255
    codes[1, 5:] = 0
    true = torch.tensor([[5, 9, 7, 5, 8], [5, 9, 7, 5, 8]]) << 24 | 255
    pixels = SampledPixels(
        true, queries, torch.rand(2, 5, 4), 1 + torch.rand(2, 5), torch.randn(2, 5)
    )

    total, _, known = log_probability(pixels, codes, keys)

    assert known.tolist() == [[True, True, True, True, False], [True, True, False, True, False]]
    for row in range(2):
        table = codes[row][codes[row] > 0].unique()
        colours = code_colours(table).float() / 255
        for pixel in range(5):
            if not known[row, pixel]:
                continue
            attention = (keys[row, codes[row] > 0] @ queries[row, pixel]).softmax(0)
            share = attention[codes[row][codes[row] > 0] == true[row, pixel]].sum()
            distance = (colours - pixels.paint[row, pixel]).abs().sum(1)
            painted = (-distance * pixels.sharpness[row, pixel]).softmax(0)
            gate = pixels.gate[row, pixel].sigmoid()
            mixed = gate * share + (1 - gate) * painted[table == true[row, pixel]].sum()
            torch.testing.assert_close(total[row, pixel].exp(), mixed, check_dtype=False)


def test_palettes_are_padded_with_colours_far_away() -> None:
    table, colours = palettes(torch.tensor([[7, 9, 7], [7, 7, 0]]))

    assert table.tolist() == [[7, 9], [7, 0]]
    assert colours[1, 1].min() > 100


def test_the_nearest_drawing_is_of_the_wanted_view_else_the_front() -> None:
    views = torch.tensor([1, 2, 0])

    assert nearest_drawing(views, torch.tensor([0, 1, 2, 3])).tolist() == [2, 0, 1, 1]


def test_pictures_have_only_colours_of_the_drawings(tiny: MotionConfig) -> None:
    torch.manual_seed(0)
    model = MotionModel(tiny).eval()
    drawings = torch.zeros(2, 4, 64, 64, dtype=torch.uint8)
    drawings[:, :, 16:48, 16:48] = torch.randint(1, 256, (2, 4, 32, 32), dtype=torch.uint8)
    mannequins = torch.randint(0, 256, (2, 4, 64, 64), dtype=torch.uint8)
    wanted = torch.randint(0, 256, (3, 4, 64, 64), dtype=torch.uint8)

    pictures = model.draw(
        drawings, mannequins, torch.tensor([2, 1]), wanted, torch.tensor([0, 2, 3]), batch=2
    )

    assert pictures.shape == (3, 4, 64, 64)
    assert pictures.dtype == torch.uint8
    found = set(colour_codes(pictures).unique().tolist())
    assert len(found) > 10
    assert found <= {0, *colour_codes(drawings).unique().tolist()}
