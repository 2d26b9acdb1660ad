"""Subjects to be learnt by a benchmark: references, prompts and, where they are known, the true
pictures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modelsheet.errors import NotFound

# Does not come with Modelsheet; whoever has no such folder names another.
DOLLS = Path("../shared/data/dollhouse")
DOLLS_HELP = (
    "a folder of test subjects, each a folder with subject.json (class noun, captioned references, "
    "prompts with true pictures) and its PNGs (default: %(default)s, where that exists)"
)
ON_WHITE = "on a white background"


@dataclass(frozen=True)
class Doll:
    """`prompts` maps what is asked to the whole prompt, "{}" standing for the subject's name;
    `truths` maps it to the pictures that are right, all RGBA, and is empty where none are known.
    `bare_prompt` asks for nothing else.
    """

    name: str
    class_noun: str
    references: list[Image.Image]
    captions: list[str]
    prompts: Mapping[str, str]
    truths: Mapping[str, list[Image.Image]]
    bare_prompt: str = f"{{}}, {ON_WHITE}"

    @property
    def plain(self) -> Image.Image | None:
        """The reference without any gear, where there is one."""
        nothing_said = [
            r for r, said in zip(self.references, self.captions, strict=True) if not said
        ]
        return nothing_said[0] if self.truths and nothing_said else None

    def stands_on_white(self, asked: str) -> bool:
        return self.prompts[asked].endswith(ON_WHITE)


def prompt_for(suffix: str) -> str:
    """A drawn subject's prompt: on white where the suffix names no floor to stand on."""
    return f"{{}}, {suffix}" + ("" if suffix.startswith("on ") else f", {ON_WHITE}")


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
        prompts={suffix: prompt_for(suffix) for suffix in truths},
        truths=truths,
    )


def _picture(path: Path) -> Image.Image:
    with Image.open(path, formats=["PNG"]) as picture:
        rgba: Image.Image = picture.convert("RGBA")
        return rgba
