"""The command line's summary of a subject's likeness before and after training."""

from __future__ import annotations

import pytest

from modelsheet.api.learn import LearnReport, LikenessPoint
from modelsheet.api.subjects import SubjectView
from modelsheet.cli.subjects import likeness_summary


def probe(step: int, likeness: float, obedience: float, drift: float) -> LikenessPoint:
    return LikenessPoint(
        step=step,
        subject_fidelity=likeness,
        prompt_fidelity=obedience,
        prior_drift=drift,
        score=likeness,
        likeness=likeness,
    )


BEFORE, BEST = probe(0, 0.28, 0.36, 0.0), probe(40, 0.92, 0.31, 0.01)
FINAL = probe(80, 0.6, 0.1, 0.2)


@pytest.mark.parametrize(
    ("kept_step", "after"), [(40, ("0.92", "0.31", "0.010")), (80, ("0.60", "0.10", "0.200"))]
)
def test_figures_are_of_the_step_that_was_kept(kept_step: int, after: tuple[str, ...]) -> None:
    report = LearnReport(kept_step=kept_step, before=BEFORE, best=BEST, final=FINAL)

    said = likeness_summary(subject(report, likeness=0.92))

    likeness, obedience, drift = after
    assert said == (
        f"likeness 0.28 → {likeness}, obedience to the prompt 0.36 → {obedience}, "
        f"the class drifted by {drift}"
    )


def test_what_was_not_measured_is_not_made_up() -> None:
    assert likeness_summary(subject(None, likeness=None)) == "likeness not measured"
    assert likeness_summary(subject(LearnReport(kept_step=4), likeness=0.5)) == "likeness 0.50"
    assert likeness_summary(subject(None, likeness=0.0)) == "likeness 0.00"


def subject(report: LearnReport | None, likeness: float | None) -> SubjectView:
    return SubjectView(
        id="s",
        name="Hero",
        class_noun="knight",
        identifier="qxz",
        base_model="sprite32",
        created=1.0,
        references=[],
        training_steps=80,
        likeness=likeness,
        report=report,
    )
