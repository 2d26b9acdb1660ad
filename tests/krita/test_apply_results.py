"""Applying in a real Krita goes where one looks, and leaves everything else as it was."""

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

    assert report["preview changes nothing"]
    assert report["hidden while turned"]
    assert report["hidden once applied"]
    assert all(previewed == applied for previewed, applied in report["previewed as applied"])
    assert report["active after applying"].startswith("a knight")
    assert report["in the layer docker"].startswith("a knight")
    assert report["into the active layer"][:2] == [True, True]
    assert (report["front has it"], report["behind untouched"]) == (1, 0)
    assert report["front stays"]
    assert report["applied though closed"] == 2
    assert report["not the other's"] == 0
    assert report["found again"][0].endswith("moved.kra")
    assert report["found again"][1:] == [3, [52, 57, 26, 26]]  # of the disc alone
    assert report["sheet"][:3] == [64, 64, ["Background"]]
    assert report["beside the sheet"] == 3
    assert report["sheet"][3].startswith("The sheet is larger than the canvas")
    assert report["places"][0].startswith("Several names in one prompt blend")
    assert report["places"][1].startswith("Each is painted where")
    assert report["places"][2:] == [["Background", "@hero", "@orc"], [140, 40, 80, 120]]
    assert {place: report[place] for place in PLACES} == dict.fromkeys(PLACES, [])
    assert report["without layers"] == 1
