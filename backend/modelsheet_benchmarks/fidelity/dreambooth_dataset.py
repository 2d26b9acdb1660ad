"""Read the DreamBooth data set as benchmark subjects (github.com/google/dreambooth, `dataset/`): a
folder of photographs a subject, and one list of class names and prompts. It has no true images.
"""

from __future__ import annotations

import re
from pathlib import Path

from modelsheet.errors import InvalidRequest
from modelsheet.imaging.rgba import read_image
from modelsheet_benchmarks.subjects import BenchmarkSubject

LIST = "prompts_and_classes.txt"
PICTURES_A_PROMPT = 4  # Ruiz et al. 2022
_LIVE = frozenset(
    {"cat", "dog"}
)  # their prompts name clothes, those of the others more backgrounds
_CLASS = re.compile(r"^(\w+),([\w ]+)$", re.MULTILINE)
_PROMPT = re.compile(r"'([^'\n]*\{0\} \{1\}[^'\n]*)'\.format")
_LIVE_HEADING = "Live Subject Prompts"
_SUFFIXES = (".jpg", ".jpeg", ".png")


def read_dreambooth(folder: Path) -> list[BenchmarkSubject]:
    """Read all subjects of the list whose folders are there.

    Raises InvalidRequest when the list has no prompts or no subject is there.
    """
    text = (folder / LIST).read_text("utf-8")
    nouns = {name: noun for name, noun in _CLASS.findall(text) if noun != "class"}
    objects, _, live = text.partition(_LIVE_HEADING)
    prompts = {False: _PROMPT.findall(objects), True: _PROMPT.findall(live)}
    if not all(prompts.values()):
        raise InvalidRequest(
            f"{folder / LIST} has no prompts for objects and for live subjects; take the file of "
            "the DreamBooth data set as it is."
        )
    found = [
        _read(folder / name, noun, prompts[noun in _LIVE])
        for name, noun in nouns.items()
        if (folder / name).is_dir()
    ]
    if not found:
        raise InvalidRequest(f"None of the subjects in {folder / LIST} has a folder beside it.")
    return found


def _read(folder: Path, noun: str, prompts: list[str]) -> BenchmarkSubject:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise InvalidRequest(f"{folder} has no pictures.")
    pictures = [read_image(file) for file in files]
    return BenchmarkSubject(
        name=folder.name,
        class_noun=noun,
        references=pictures,
        captions=[""] * len(pictures),
        prompts={_suffix(each): each.replace("{0} {1}", "{}") for each in prompts},
        truths={},
        class_prompt="a {}",
    )


def _suffix(prompt: str) -> str:
    """Return the prompt without the subject: "red", "in the jungle"."""
    return " ".join(prompt.removeprefix("a ").replace("{0} {1}", "").split())
