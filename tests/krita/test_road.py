"""The whole road in a real Krita with the real service: layers in, a new group of layers out."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.base_models.locate import list_base_models
from tests.krita import harness, toy_runner
from tests.krita.conftest import Play
from tests.paths import SHARED_DATA

CENTRE = (150 + 60 // 2, 40 + 80 // 2)  # of the selection in steps/road.py
REFERENCES = sorted(SHARED_DATA.glob("dollhouse/01-*/references"), key=str)


REAL = "modelsheet.worker.runner:make_runner"
PATIENCE_S = 1500  # learning takes one minute, and many on a machine with other work


def is_ready() -> bool:
    """Return True if the embedded base model can learn."""
    return any(model.available for model in list_base_models(Path()))


def check(run: harness.KritaRun, *, depth: str, off_centre: int = 0) -> None:
    """`off_centre`: by how many px a painted figure may miss the middle of its picture."""
    report = run.report
    layers = report["group"]["layers"]

    assert report["pictures_sent"] == 5
    assert report["remarks"] == ""
    assert report["subject"].startswith("Hero\n@hero · ")
    assert not report["document_touched_by_learning"]
    assert not report["document_touched_by_generating"]
    assert report["notice"] == ""
    assert report["group"]["name"] == "@hero holding sword (seed 7)"
    assert report["group"]["type"] == "grouplayer"
    assert [layer["name"] for layer in layers] == ["seed 9", "seed 8", "seed 7"]
    assert [layer["visible"] for layer in layers] == [False, False, True]
    assert {layer["type"] for layer in layers} == {"paintlayer"}
    assert {layer["depth"] for layer in layers} == {depth}
    for layer in layers:
        assert _centre(layer["bounds"]) == pytest.approx(CENTRE, abs=off_centre)
    assert report["layers_untouched"]
    assert report["active"] == report["group"]["name"]
    assert report["selection_kept"]
    assert report["undone_in_one_step"]
    assert not report["cut_at_260"]
    assert not report["cut_at_500"]


def _centre(bounds: list[int]) -> tuple[int, int]:
    x, y, width, height = bounds
    return x + width // 2, y + height // 2


def test_selected_layers_become_a_subject_and_a_new_group(play: Play) -> None:
    run = play("road", environment={"ROAD_DEPTH": "U16"})

    check(run, depth="U16")
    middle = (toy_runner.SIDE * toy_runner.SIDE // 2 + toy_runner.SIDE // 2) * 4
    painted = list(toy_runner.disc(7)[middle : middle + 4])
    # One level of rounding on the way through another colour space.
    assert run.report["shown_colour"] == pytest.approx(painted, abs=1)


@pytest.mark.skipif(not is_ready(), reason="sprite32's weights are not built yet")
@pytest.mark.timeout(PATIENCE_S + 120)
def test_the_real_backend_learns_and_paints(play: Play) -> None:
    environment = {"MODELSHEET_DRIVER_PATIENCE_S": str(PATIENCE_S)}
    if REFERENCES:
        environment["ROAD_PICTURES"] = str(REFERENCES[0])

    run = play("road", runner=REAL, environment=environment, timeout_s=PATIENCE_S + 60)

    check(run, depth="U8", off_centre=6)


@pytest.mark.skipif(not REFERENCES, reason="the dollhouse is not beside this checkout")
def test_real_pictures_go_the_same_road(play: Play) -> None:
    environment = {"ROAD_PICTURES": str(REFERENCES[0])}

    check(play("road", environment=environment), depth="U8")
