"""The loss against numbers worked out by hand."""

from __future__ import annotations

import torch

from modelsheet.diffusion.training.loss import per_sample_mse


def test_a_masked_loss_weighs_shape_and_not_area() -> None:
    target = torch.zeros(2, 4, 8, 8)
    predicted = torch.ones(2, 4, 8, 8)
    small, large = torch.zeros(1, 8, 8), torch.zeros(1, 8, 8)
    small[:, 3:5, 3:5] = 1
    large[:, 1:7, 1:7] = 1

    loss = per_sample_mse(predicted, target, torch.stack([small, large]))

    assert loss.tolist() == [1.0, 1.0]


def test_what_lies_outside_the_mask_does_not_matter() -> None:
    mask = torch.zeros(1, 1, 4, 4)
    mask[..., :2] = 1
    target = torch.zeros(1, 1, 4, 4)
    predicted = torch.full((1, 1, 4, 4), 3.0)
    predicted[..., :2] = 2.0

    assert float(per_sample_mse(predicted, target, mask)) == 4.0
