"""Test subjects as they are read from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.errors import NotFound
from modelsheet_benchmarks.subjects import read_subjects


def plain(colour: str) -> Image.Image:
    return Image.new("RGBA", (8, 8), colour)


def test_subjects_are_read_with_all_their_truths(tmp_path: Path) -> None:
    folder = tmp_path / "07-fox"
    folder.mkdir()
    for name in ("a", "b", "c"):
        plain("#123").save(folder / f"{name}.png")
    said = {
        "class_noun": "fox",
        "references": [{"file": "a.png", "caption": "side view"}, {"file": "b.png", "caption": ""}],
        "prompts": [
            {"suffix": "with hat", "truth": "b.png"},
            {"suffix": "with hat", "truth": "c.png"},
            {"suffix": "on lava floor", "truth": "c.png"},
        ],
    }
    (folder / "subject.json").write_text(json.dumps(said))

    (found,) = read_subjects(tmp_path)

    assert (found.name, found.class_noun, found.captions) == ("07-fox", "fox", ["side view", ""])
    assert len(found.truths["with hat"]) == 2
    assert found.plain is found.references[1]
    assert found.prompts["with hat"].format("qxz fox") == "qxz fox, with hat, on a white background"
    assert found.is_on_white("with hat")
    assert not found.is_on_white("on lava floor")
    with pytest.raises(NotFound, match="--subjects"):
        read_subjects(folder)
