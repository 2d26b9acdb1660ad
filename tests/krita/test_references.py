"""A subject on a tiny FLUX.2 klein in a real Krita: tried by its layers, then learnt."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelsheet.api.models import AddModelRequest
from modelsheet.base_models.manage import add_models
from modelsheet.diffusion.models.clip_encoders import FOLDER
from modelsheet.settings import Settings
from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer
from tests.diffusion.tiny import write_clip, write_klein
from tests.krita import harness
from tests.paths import KRITA_STEPS
from tests.sprite_training.archive import write_archive

PATIENCE_S = 1500


def add_tiny_models(home: Path) -> None:
    """A klein, its distilled twin, and a CLIP to measure likeness by."""
    data_dir = Settings.from_environment({"MODELSHEET_HOME": str(home)}).data_dir
    for name in ("klein", "twin"):
        write_klein(home / name, is_distilled=name == "twin")
        add_models(AddModelRequest(path=str(home / name)), data_dir)
    build_tokenizer(TileSet.load(write_archive(home / "tiles.zip")), 400, home / "tokenizer")
    write_clip(data_dir / "models" / FOLDER, home / "tokenizer")


@pytest.mark.skipif(
    not os.environ.get("MODELSHEET_TEST_REFERENCES"),
    reason="takes three minutes or more: MODELSHEET_TEST_REFERENCES=1 runs it",
)
@pytest.mark.timeout(PATIENCE_S + 120)
def test_a_subject_is_tried_and_then_learnt(tmp_path: Path) -> None:
    home = tmp_path / "home"
    harness.make_home(home, "modelsheet.worker.runner:make_runner")
    add_tiny_models(home / "modelsheet")
    try:
        report = harness.run(
            KRITA_STEPS / "references.py",
            home,
            tmp_path / "out",
            environment={"MODELSHEET_DRIVER_PATIENCE_S": "600"},
            timeout_s=PATIENCE_S,
        ).report
    finally:
        harness.stop_service(home / "modelsheet")

    assert report["sprite32 says"].startswith("sprite32 takes no reference pictures.")
    assert report["said in the form"] == "First pictures of @hero come into the docker."
    assert report["tried"] == "Hero\n@hero · cat\nnot learnt yet · klein"
    assert report["painted by"] == ["twin", "cat from images 1 to 4", "references"]
    assert report["layers applied"] == 1
    assert report["painted while it learns"] == ["twin", "references", "Learning Hero"]
    assert report["after cancelling"] == report["tried"]
    assert "not learnt yet" in report["export says"]
    assert report["pictures to learn"] == report["pictures sent"] == 5
    assert report["went on after the kill"]
    assert report["learnt"].startswith("Hero\n@hero · cat\nlikeness")
    assert report["ways"] == ["adapter", "both"]
    assert report["pictures differ"]
    assert "By its pictures alone" in report["report"]
    assert report["came back"].startswith("Hero\n@hero · cat\n")
