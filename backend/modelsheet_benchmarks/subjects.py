"""Read benchmark subjects: references, prompts and, where they are known, the true images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from modelsheet.errors import NotFound

# Not part of the repository; without it a folder is named by --subjects.
DEFAULT_SUBJECTS = Path("../shared/data/dollhouse")
SUBJECTS_HELP = (
    "a folder of test subjects, each a folder with subject.json (class noun, captioned references, "
    "prompts with true pictures) and its PNGs (default: %(default)s, where that exists)"
)
ON_WHITE = "on a white background"


@dataclass(frozen=True)
class BenchmarkSubject:
    """A subject to learn in a benchmark, and its test prompts.

    `prompts` maps a suffix, such as "with red book", to the whole prompt, "{}" standing for the
    subject's name; `truths` maps it to the true images, all RGBA, and is empty where none are
    known. `class_prompt` has no suffix.
    """

    name: str
    class_noun: str
    references: list[Image.Image]
    captions: list[str]
    prompts: Mapping[str, str]
    truths: Mapping[str, list[Image.Image]]
    class_prompt: str = f"{{}}, {ON_WHITE}"

    @property
    def plain(self) -> Image.Image | None:
        """The reference without equipment, where there is one."""
        pairs = zip(self.references, self.captions, strict=True)
        uncaptioned = [reference for reference, caption in pairs if not caption]
        return uncaptioned[0] if self.truths and uncaptioned else None

    def is_on_white(self, suffix: str) -> bool:
        return self.prompts[suffix].endswith(ON_WHITE)


def prompt_for(suffix: str) -> str:
    """Word a drawn subject's prompt, on white where the suffix names no floor to stand on."""
    return f"{{}}, {suffix}" + ("" if suffix.startswith("on ") else f", {ON_WHITE}")


def read_subjects(folder: Path) -> list[BenchmarkSubject]:
    """Read every folder that has a subject.json. Raises NotFound when there is none."""
    files = sorted(folder.glob("*/subject.json"))
    if not files:
        raise NotFound(
            f"There is no test subject below {folder}; name a folder of them with --subjects."
        )
    return [_read(file) for file in files]


def _read(file: Path) -> BenchmarkSubject:
    content = json.loads(file.read_text("utf-8"))
    truths: dict[str, list[Image.Image]] = {}
    for prompt in content["prompts"]:
        truths.setdefault(prompt["suffix"], []).append(_picture(file.parent / prompt["truth"]))
    return BenchmarkSubject(
        name=file.parent.name,
        class_noun=content["class_noun"],
        references=[_picture(file.parent / each["file"]) for each in content["references"]],
        captions=[each["caption"] for each in content["references"]],
        prompts={suffix: prompt_for(suffix) for suffix in truths},
        truths=truths,
    )


def _picture(path: Path) -> Image.Image:
    with Image.open(path, formats=["PNG"]) as picture:
        rgba: Image.Image = picture.convert("RGBA")
        return rgba
