"""The score of a step: subject fidelity first, prompt fidelity and drift as limits."""

from __future__ import annotations

import pytest

from modelsheet.diffusion.training.fidelity_metrics import is_as_good, selection_score

BASE = 0.36  # prompt fidelity of the untuned base


def test_likeness_decides_between_steps_that_obey() -> None:
    early, late = selection_score(0.69, 0.34, BASE, 0.004), selection_score(0.74, 0.30, BASE, 0.028)

    assert late > early


@pytest.mark.parametrize(("prompt_fidelity", "drift"), [(0.16, 0.01), (0.33, 0.06)])
def test_a_little_more_likeness_is_not_worth_the_words_or_the_class(
    prompt_fidelity: float, drift: float
) -> None:
    overfitted, sound = (
        selection_score(0.80, prompt_fidelity, BASE, drift),
        selection_score(0.74, 0.31, BASE, 0.02),
    )

    assert sound > overfitted


def test_of_steps_that_are_alike_a_later_one_is_kept() -> None:
    assert is_as_good(0.70, [0.70])
    assert is_as_good(0.69, [0.68, 0.70, 0.69])
    assert not is_as_good(0.67, [0.68, 0.70, 0.67])
