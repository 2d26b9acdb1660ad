"""What is painted from the canvas or a layer has the place, size and pixels of what is there."""

from __future__ import annotations

from tests.krita.conftest import Play

REAL = "modelsheet.worker.runner:make_runner"


def test_a_figure_fits_the_selection_and_a_layer_s_figure_stays(play: Play) -> None:
    report = play("start_from", runner=REAL).report

    left, top, width, height = report["figure"]
    assert left >= 50
    assert top >= 40
    assert left + width <= 79
    assert top + height == 74  # it stands on the selection's lower edge
    assert height >= 20
    assert report["around the selection"] == 0
    moved = [abs(a - b) for a, b in zip(report["layer"], report["changed layer"], strict=True)]
    assert max(moved) <= 2
