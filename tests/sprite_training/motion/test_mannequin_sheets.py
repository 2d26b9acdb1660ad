"""Mannequins drawn from archives are read back by the product, and measures find a figure again."""

from __future__ import annotations

from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest

from modelsheet.motion.figures.fitting import FigureMeasurer, write_measures
from modelsheet.motion.figures.mannequin_archive import MannequinArchive
from sprite_training.motion import mannequin_sheets
from sprite_training.motion.measures import BODIES, find_measures
from sprite_training.motion.posed_archive import Pose, PosedArchive


def test_mannequins_are_read_back_as_they_were_drawn(
    revised: Path, universal: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies = {"male": ("universal-male", "revised-male")}
    monkeypatch.setattr(mannequin_sheets, "_BODIES", bodies)
    known = [action for action in mannequin_sheets._ACTIONS if action.name in ("stand", "walk")]
    monkeypatch.setattr(mannequin_sheets, "_ACTIONS", known)

    mannequin_sheets.write_mannequins([universal, revised], tmp_path)

    archive = MannequinArchive(tmp_path)
    assert [action.name for action in archive.actions().actions] == ["stand", "walk"]
    for action, path, source, numbers in (
        ("walk", universal, "walk", range(1, 9)),
        ("stand", revised, "idle", (0, 1, 2, 1)),
    ):
        drawn = PosedArchive(path)
        frames = archive.figure("male", action).frames[action, "left"]
        for frame, number in zip(frames, numbers, strict=True):
            expected = drawn.mannequin("male", Pose(source, "left", number))
            np.testing.assert_array_equal(frame, expected)


def test_measures_find_a_figure_of_the_archive_again(universal: Path, tmp_path: Path) -> None:
    archive = PosedArchive(universal)
    path = tmp_path / "measures.json"

    write_measures(path, list(BODIES), find_measures([archive], 200, np.random.default_rng(0)))

    measurer = FigureMeasurer.read(path)
    figure = archive.mannequin("male", archive.standing("front"))
    found = measurer.measure(figure[..., 3] > 127, "front")
    assert max(found.bodies, key=lambda body: found.bodies[body]) == "male"
    np.testing.assert_allclose(
        astuple(found.proportions), astuple(archive.proportions("male")), atol=1.5
    )
