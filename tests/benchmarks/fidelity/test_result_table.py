"""Means, shares, intervals and leads over subjects."""

from __future__ import annotations

import pytest

from modelsheet_benchmarks.fidelity.result_table import (
    ResultRow,
    paired_mean_lead,
    result_row,
    table,
)

NEEDED = {
    "recipe",
    "subject_fidelity",
    "subject_fidelity_share",
    "prompt_fidelity_share",
    "prior_drift",
    "subject_right",
    "prompt_right",
    "both_right",
    "seconds",
}


def metrics(both_right: float, **changed: float) -> dict[str, float]:
    usual = {
        "subject_fidelity": 0.8,
        "real_fidelity": 0.9,
        "base_fidelity": 0.4,
        "prompt_fidelity": 0.3,
        "base_prompt_fidelity": 0.4,
        "prior_drift": 0.01,
        "subject_right": 0.9,
        "prompt_right": 0.8,
        "both_right": both_right,
        "seconds": 60.0,
    }
    return usual | changed


def row(method: str, *rights: float) -> ResultRow:
    return result_row(method, {f"s{n}": metrics(right) for n, right in enumerate(rights)})


def test_shares_are_of_what_real_pictures_and_the_base_reach() -> None:
    said = row("balanced", 0.5, 0.7)

    assert said.metrics["subject_fidelity_share"] == pytest.approx(0.8)
    assert said.metrics["prompt_fidelity_share"] == pytest.approx(0.75)
    assert said.metrics["both_right"] == pytest.approx(0.6)
    assert said.as_json().keys() >= NEEDED


def test_intervals_hold_the_mean_and_narrow_with_the_subjects() -> None:
    few, many = row("few", 0.2, 0.8), row("many", *[0.2, 0.8] * 20)

    (least, most), (lower, upper) = few.intervals["both_right"], many.intervals["both_right"]
    assert (least, most) == (0.2, 0.8)
    assert 0.35 < lower < 0.5 < upper < 0.65
    assert few.intervals == row("few", 0.2, 0.8).intervals, "drawn alike every time"
    assert row("one", 0.3).intervals == {}


def test_a_lead_compares_each_subject_with_itself() -> None:
    ahead, (least, most) = paired_mean_lead(
        row("a", 0.1, 0.5, 0.9), row("b", 0.0, 0.4, 0.8), "both_right"
    )

    assert (ahead, least, most) == pytest.approx((0.1, 0.1, 0.1))


def test_figures_that_only_some_subjects_have_are_left_out() -> None:
    said = result_row("balanced", {"a": metrics(0.5), "b": metrics(0.5, div=0.2)})

    assert "div" not in said.metrics
    assert "both_right" in said.metrics


def test_without_truths_the_row_says_so_and_the_table_has_no_such_column() -> None:
    bare = {name: value for name, value in metrics(0.0).items() if "right" not in name}
    said = result_row("balanced", {"a": bare, "b": bare})

    assert said.as_json()["both_right"] is None
    assert said.as_json().keys() >= NEEDED
    assert "right" not in table([said])
    assert "balanced is ahead of seed in both right by 0.300" in table(
        [row("balanced", 0.4, 0.6), row("seed", 0.1, 0.3)]
    )
