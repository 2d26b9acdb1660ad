"""Pictures whose right answer is known, judged among their rivals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from modelsheet.diffusion.doll import Doll, judge, read_dolls
from modelsheet.errors import NotFound


def plain(colour: str) -> Image.Image:
    return Image.new("RGBA", (8, 8), colour)


def doll(name: str, sword: str, shield: str) -> Doll:
    truths = {"with sword": [plain(sword)], "with shield": [plain(shield)]}
    return Doll(name, "fox", [plain(sword)], [""], truths)


RED, BLUE = doll("red", "#f00", "#f80"), doll("blue", "#00f", "#08f")


@pytest.mark.parametrize(
    ("painted", "subject", "prompt", "both"),
    [
        ("#f00", True, True, True),
        ("#f70", True, False, False),
        ("#00f", False, True, False),
        ("#08f", False, False, False),
    ],
)
def test_a_picture_is_right_when_no_rival_is_nearer(
    painted: str, subject: bool, prompt: bool, both: bool
) -> None:
    verdict = judge(plain(painted).convert("RGB"), "with sword", RED, [RED, BLUE])

    assert (verdict.subject_right, verdict.both_right) == (subject, both)
    assert verdict.prompt_right == prompt
    assert (verdict.distance == 0.0) == (painted == "#f00")


def test_dolls_are_read_with_all_their_truths(tmp_path: Path) -> None:
    folder = tmp_path / "07-fox"
    folder.mkdir()
    for name in ("a", "b", "c"):
        plain("#123").save(folder / f"{name}.png")
    said = {
        "class_noun": "fox",
        "references": [{"file": "a.png", "caption": "side view"}],
        "prompts": [{"suffix": "x", "truth": "b.png"}, {"suffix": "x", "truth": "c.png"}],
    }
    (folder / "subject.json").write_text(json.dumps(said))

    (found,) = read_dolls(tmp_path)

    assert (found.name, found.class_noun, found.captions) == ("07-fox", "fox", ["side view"])
    assert len(found.truths["x"]) == 2
    with pytest.raises(NotFound, match="--subjects"):
        read_dolls(folder)
