"""The motion benchmark on a small archive: baselines, intervals, figures and page."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelsheet.motion.network.model import MotionConfig, MotionModel
from modelsheet.motion.network.weights_file import write_weights
from modelsheet_benchmarks.__main__ import main
from modelsheet_benchmarks.motion.benchmark import interval
from modelsheet_benchmarks.motion.retrieval import Retrieval
from sprite_training.motion.augmentation import shift_colours
from sprite_training.motion.character_parts import Character
from sprite_training.motion.evaluation import TestSet
from sprite_training.motion.posed_archive import Pose, PosedArchive
from tests.sprite_training.motion.part_archive import write_parts

PARTS = [
    {"type": "body", "design": "body", "variant": "tan"},
    {"type": "head", "design": "heads_human_male", "variant": "tan"},
    {"type": "clothes", "design": "torso_shirt", "variant": "teal"},
]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_parts(tmp_path_factory.mktemp("tiles") / "universal.zip", universal=True)


def test_retrieval_dresses_the_nearest_figure_in_the_drawings_colours(tiles: Path) -> None:
    archive = PosedArchive(tiles)
    parts = tuple(archive.parts.find("male", p["type"], p["design"], p["variant"]) for p in PARTS)
    layers = archive.parts.layers(
        Character("male", parts), lambda _, palette: shift_colours(palette, 0.3, 1.0, 1.1)
    )
    pose = Pose("walk", "left", 2)
    drawing = archive.draw(layers, archive.standing("left"))

    (answer,) = Retrieval(archive, 60).answers(drawing, "left", [pose])

    np.testing.assert_array_equal(answer, archive.draw(layers, pose))


def test_an_interval_holds_the_mean_and_widens_with_the_spread() -> None:
    narrow, wide = interval([0.4, 0.5, 0.6]), interval([0.0, 0.5, 1.0])

    assert narrow.mean == wide.mean == pytest.approx(0.5)
    assert wide.low < narrow.low < 0.5 < narrow.high < wide.high


def test_characters_that_nobody_names_are_random_and_the_same_each_time(tiles: Path) -> None:
    one, other = (TestSet(tiles, None, number=3, doubles=1) for _ in range(2))

    assert one.characters == other.characters
    assert len(set(one.characters)) > 1
    np.testing.assert_array_equal(one.cases[2][0].truth, other.cases[2][0].truth)


def test_figures_and_page_are_written(tiles: Path, tmp_path: Path) -> None:
    config = MotionConfig(
        fine=8, medium=8, coarse=16, bottom=16, condition=8, content=4, frequencies=2, heads=2
    )
    weights, characters = tmp_path / "tiny.safetensors", tmp_path / "characters.json"
    write_weights(weights, MotionModel(config).state_dict(), config, pictures=7)
    characters.write_text(json.dumps([{"body": "male", "parts": PARTS}]))
    small = ["--number", "1", "--doubles", "2", "--retrieved", "4", "--threads", "1"]
    out = ["--json", str(tmp_path / "out.json"), "--page", str(tmp_path / "page")]
    given = ["--tiles", str(tiles), "--characters", str(characters), "--weights", str(weights)]

    assert main(["motion", *given, *small, *out]) == 0

    content = json.loads((tmp_path / "out.json").read_text("utf-8"))
    assert (content["pictures_seen"], content["characters"]) == (7, 1)
    by_method = {(row["ability"], row["method"]): row["figures"] for row in content["rows"]}
    assert len(by_method) == 3 * 4
    assert by_method["key", "retrieve and dress"]["overlap"]["mean"] > 0.5
    assert by_method["front", "unmoved"]["exact"]["mean"] < 1
    assert content["seconds_for_36_frames"] > 0
    assert content["flicker"]["mean"] >= 0
    assert (tmp_path / "page" / "index.html").read_text("utf-8").count("<img") == 3
    assert len(list((tmp_path / "page").glob("*.png"))) == 3
