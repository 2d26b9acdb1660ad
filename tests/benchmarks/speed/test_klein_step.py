"""The figures of a klein, on one that is tiny but for its prompts."""

from __future__ import annotations

import torch

from modelsheet_benchmarks.speed.klein_step import measure_painting, random_klein
from modelsheet_benchmarks.speed.sd15_step import measure


def test_a_klein_of_random_weights_paints_and_learns() -> None:
    base = random_klein(
        torch.device("cpu"),
        64,
        num_layers=1,
        num_single_layers=1,
        num_attention_heads=2,
        joint_attention_dim=48,
    )

    painted = measure_painting(base, 1)
    learnt = measure(base, 1, None, "none")

    inner, rank, hidden = 256, 16, 768
    double = 4 * rank * 2 * inner
    single = rank * (inner + 3 * inner + 2 * hidden) + rank * (inner + hidden + inner)
    assert learnt.adapter_parameters == double + single
    assert (learnt.dtype, learnt.batch, learnt.prior_batch) == ("bfloat16", 1, 0)
    assert painted.seconds_per_painting_step > 0
    assert learnt.peak_memory_gib >= painted.peak_memory_gib > 0
