"""A hero's front layer becomes key views and animated layers in a real Krita."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.krita import toy_runner
from tests.krita.conftest import TOY, Play
from tests.motion.figure_drawings import figure

VIEWS = ["front", "left", "back", "right"]
REAL = "modelsheet.worker.runner:make_runner"


@pytest.mark.parametrize("runner", [TOY])
def test_a_layer_becomes_key_views_and_animations(play: Play, tmp_path: Path, runner: str) -> None:
    picture = tmp_path / "hero.png"
    figure().save(picture)

    report = play("model_sheet", runner=runner, environment={"SHEET_PICTURE": str(picture)}).report

    hero = ["Hero front", "paintlayer", []]
    sheet = ["Model sheet: Hero", "grouplayer", [[view, "paintlayer", []] for view in VIEWS]]
    layers = [[action, "paintlayer", []] for action in ("Walk", "Slash")]
    views = [[view, "grouplayer", layers] for view in VIEWS]
    assert report["form"][0::2] == [True, []]
    assert report["form with the fit"][0::2] == [True, []]
    assert not report["touched by drawing"]
    assert report["key views"] == [sheet, hero]
    assert report["animation"] == [
        ["Model sheet: Hero, animated", "grouplayer", views],
        sheet,
        hero,
    ]
    assert report["frame rate"] == 24  # the document's: to be exact it would be 50
    for layers_of_view in report["frames"].values():
        for times in layers_of_view.values():
            assert len(times) == toy_runner.FRAMES
    assert report["frames"]["front"] == {"Walk": [0, 2, 5, 7], "Slash": [0, 2, 4, 6]}
    assert report["last frame"] == 9
    assert report["corrected"]
    assert report["shown"]
    assert report["undone once"]
    assert report["undone twice"]
