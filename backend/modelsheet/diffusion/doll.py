"""Subjects whose right answer is known: references with captions, a true picture per prompt, and
whether a painted picture is nearer to it than to its rivals.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from modelsheet.diffusion.distance import shifted_distances
from modelsheet.errors import NotFound
from modelsheet.images import composite

# Does not come with Modelsheet; whoever has no such folder names another.
DOLLS = Path("../shared/data/dollhouse")
DOLLS_HELP = (
    "a folder of test subjects, each a folder with subject.json (class noun, captioned references, "
    "prompts with true pictures) and its PNGs (default: %(default)s, where that exists)"
)
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Doll:
    """`truths` maps each prompt's suffix to the pictures that are right for it, all RGBA."""

    name: str
    class_noun: str
    references: list[Image.Image]
    captions: list[str]
    truths: dict[str, list[Image.Image]]


@dataclass(frozen=True)
class Verdict:
    """`distance` to the nearest truth is a mean square in [0, 1]; the others say whether it is
    nearer than any truth for another prompt, of another subject, or of either.
    """

    distance: float
    subject_right: bool
    prompt_right: bool
    both_right: bool


def judge(picture: Image.Image, suffix: str, doll: Doll, dolls: Sequence[Doll]) -> Verdict:
    """Compare a picture asked for by `suffix` with the truths of this doll and of the others."""
    own = _least(picture, doll.truths[suffix])
    things = [p for s, each in doll.truths.items() if s != suffix for p in each]
    others = [p for d in dolls if d is not doll for p in d.truths.get(suffix, d.references[:1])]
    strangers = [p for d in dolls if d is not doll for each in d.truths.values() for p in each]
    prompt_right = own < _least(picture, things)
    subject_right = own < _least(picture, others)
    both = prompt_right and subject_right and own < _least(picture, strangers)
    return Verdict(own, subject_right, prompt_right, both)


def _least(picture: Image.Image, rivals: Sequence[Image.Image]) -> float:
    """Transparent truths stand on white, as the pictures were asked for."""
    candidates = np.stack([np.asarray(composite(rival, _WHITE)) for rival in rivals])
    return float(shifted_distances(np.asarray(picture), candidates).min()) / 255**2


def read_dolls(folder: Path) -> list[Doll]:
    """Read every folder that has a subject.json. Raises NotFound when there is none."""
    files = sorted(folder.glob("*/subject.json"))
    if not files:
        raise NotFound(
            f"There is no test subject below {folder}; name a folder of them with --subjects."
        )
    return [_read(file) for file in files]


def _read(file: Path) -> Doll:
    said = json.loads(file.read_text("utf-8"))
    truths: dict[str, list[Image.Image]] = {}
    for prompt in said["prompts"]:
        truths.setdefault(prompt["suffix"], []).append(_picture(file.parent / prompt["truth"]))
    return Doll(
        name=file.parent.name,
        class_noun=said["class_noun"],
        references=[_picture(file.parent / each["file"]) for each in said["references"]],
        captions=[each["caption"] for each in said["references"]],
        truths=truths,
    )


def _picture(path: Path) -> Image.Image:
    with Image.open(path, formats=["PNG"]) as picture:
        rgba: Image.Image = picture.convert("RGBA")
        return rgba
