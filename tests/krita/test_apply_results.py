"""Applying leaves everything else in a real Krita as it was, and one undo takes it away."""

from __future__ import annotations

from tests.krita.conftest import Play

COLOURS = ["GRAYA-U8", "CMYKA-U8", "RGBA-F16"]
PLACES = [
    *(f"locked, {how}" for how in ("layers", "sheet", "frames")),
    *(f"animated, {how}" for how in ("layers", "frames")),
    *COLOURS,
]


def test_applying_changes_nothing_else(play: Play) -> None:
    report = play("apply_results", environment={"APPLY_COLOURS": " ".join(COLOURS)}).report

    assert report["behind"] == 1
    assert report["front untouched"]
    assert report["front stays"]
    assert report["closed"].startswith("“front”, for which this was painted, is closed.")
    assert {place: report[place] for place in PLACES} == dict.fromkeys(PLACES, [])
    assert report["without layers"] == 1
