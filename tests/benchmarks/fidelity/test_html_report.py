"""The page of a benchmark's outcome, from results made here."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.api.learn import LikenessPoint
from modelsheet.errors import ModelsheetError
from modelsheet_benchmarks.fidelity.evaluation import BenchmarkResults, SubjectResult
from modelsheet_benchmarks.fidelity.html_report import subject_sheet, write_page
from modelsheet_benchmarks.fidelity.methods import CurvePoint, LearntSubject
from modelsheet_benchmarks.fidelity.plots import mean_curve
from modelsheet_benchmarks.fidelity.result_table import result_row
from modelsheet_benchmarks.subjects import BenchmarkSubject, prompt_for
from tests.benchmarks.fidelity.test_result_table import metrics
from tests.diffusion.conftest import view


def subject(*, has_truths: bool) -> BenchmarkSubject:
    prompts = {asked: prompt_for(asked) for asked in ("with book", "on lava floor")}
    truths = {asked: [view(8)] for asked in prompts} if has_truths else {}
    return BenchmarkSubject(
        "fox & friend", "fox", [view(0), view(4)], ["", "side view"], prompts, truths
    )


def result(*moments: tuple[float, float]) -> SubjectResult:
    curve = [CurvePoint(seconds, point(likeness)) for seconds, likeness in moments]
    red = Image.new("RGB", (48, 48), "red")
    return SubjectResult(
        metrics(0.5), LearntSubject("qxz fox", 9.0, curve), {a: [red] for a in PROMPTS}
    )


PROMPTS = ("with book", "on lava floor")


def point(likeness: float) -> LikenessPoint:
    return LikenessPoint(
        step=1, subject_fidelity=likeness, prompt_fidelity=0.3, prior_drift=0.0, score=1.0
    )


def report(*, has_truths: bool = True) -> BenchmarkResults:
    found = BenchmarkResults([])
    found.subjects = [subject(has_truths=has_truths)]
    for name in ("balanced", "text <inversion>"):
        found.results[name] = [result((5.0, 0.5), (9.0, 0.7))]
        own = result().metrics
        kept = {k: v for k, v in own.items() if has_truths or "right" not in k}
        found.rows.append(result_row(name, {"fox & friend": kept}))
    return found


def test_a_page_holds_plots_figures_and_pictures(tmp_path: Path) -> None:
    page = write_page(tmp_path / "page", report(), "Two prompts.")

    words = page.read_text("utf-8")
    assert "text &lt;inversion&gt;" in words
    assert "text <inversion>" not in words
    assert "Two prompts." in words
    assert sorted(file.name for file in page.parent.iterdir()) == [
        "curve.png",
        "fidelity.png",
        "fox & friend.png",
        "index.html",
        "right.png",
    ]


def test_without_truths_there_is_no_plot_of_right_pictures(tmp_path: Path) -> None:
    page = write_page(tmp_path, report(has_truths=False), "")

    assert "right" not in page.read_text("utf-8")
    assert not (tmp_path / "right.png").exists()


def test_a_sheet_shows_every_recipe_in_a_row_of_its_own() -> None:
    one = subject_sheet(subject(has_truths=True), {"balanced": result()})
    two = subject_sheet(subject(has_truths=True), {"balanced": result(), "seed": result()})
    bare = subject_sheet(subject(has_truths=False), {"balanced": result()})

    row = two.height - one.height
    assert row > 96
    assert one.height - bare.height == row
    assert one.getpixel((60, one.height - row)) == (255, 0, 0)


def test_without_matplotlib_the_page_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.axes", None)
    monkeypatch.delitem(sys.modules, "modelsheet_benchmarks.fidelity.plots")
    monkeypatch.delattr("modelsheet_benchmarks.fidelity.plots")

    with pytest.raises(ModelsheetError, match=r"modelsheet\[bench\]"):
        write_page(tmp_path, report(), "")


def test_a_curve_is_the_mean_of_the_subjects_that_got_so_far() -> None:
    curves = [result((2.0, 0.2), (4.0, 0.6)), result((4.0, 0.4), (6.0, 0.8)), result((3.0, 0.3))]

    seconds, likeness = mean_curve(curves)

    assert seconds == pytest.approx([3.0, 5.0])
    assert likeness == pytest.approx([0.3, 0.7])
    assert mean_curve([*curves, result(), result()]) == (
        pytest.approx([3.0]),
        pytest.approx([0.3]),
    )
    assert mean_curve([result()]) == ([], [])
