"""The whole docker in a real Krita, with the real service and a runner that needs no torch."""

from __future__ import annotations

import re
from pathlib import Path

from tests.krita import harness
from tests.krita.conftest import Play
from tests.paths import KRITA_STEPS

STEPS = KRITA_STEPS


def step_of(detail: str) -> int:
    told = re.search(r"step (\d+) of", detail)
    assert told is not None, detail
    return int(told[1])


def test_closing_krita_does_not_end_the_learning(play: Play, tmp_path: Path) -> None:
    away = play("leaving", environment={"LEAVING": "away"}).report

    back = harness.run(
        STEPS / "leaving.py",
        tmp_path / "home",
        tmp_path / "back",
        environment={"LEAVING": "back"},
        timeout_s=1200.0,
    ).report

    # Where Krita took very long to come back, it was learnt meanwhile.
    assert back["learning"] in ([], ["Learning Stayer"])
    for detail in back["found at"]:
        assert step_of(detail) > step_of(away["left at"])
    assert back["subject"].startswith("Stayer\n@stayer · ")


def test_the_docker_does_all_it_offers(play: Play) -> None:
    report = play("whole").report

    assert report["group as one"] == ["outfit"]
    assert report["each in the group"] == ["hat", "coat"]
    assert report["frames"] == ["walk, frame 0", "walk, frame 4", "walk, frame 8"]
    assert report["frame sizes"] == [[130, 60]]
    assert report["inside the selection"] == [64, 32]
    assert report["paused"].startswith("step ")
    assert report["paused"].endswith(" · paused")
    assert report["learning goes on"] == "Learning Wide"
    assert report["finished early"].startswith("Wide\n@wide · ")
    assert report["next chooses"]
    assert len(set(report["compared"])) == 2
    assert not report["compare touched the document"]
    assert report["sheet"] == [58, 58]  # two by two pictures of 32, clear at the margins
    assert report["group"] == 3
    assert report["two undos undo both"]
    assert report["saved"]
    assert report["remembered"] == ["Outfit"]
    assert report["continued"] == "@outfit again"
    assert report["came back as another"]
    assert "does not know the token. Check the URL" in report["wrong token"]
    assert report["report"].startswith("The report is in the clipboard.")
    assert not report["token in document"]
