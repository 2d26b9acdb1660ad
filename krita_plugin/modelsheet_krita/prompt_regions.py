"""Split a prompt that names several subjects into the words of each and those of the whole."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .mentions import find_mentions

# What stands between one subject and the next, and says nothing about either.
_BETWEEN = re.compile(
    r"[\s,;]*(?:\b(?:and|with|next to|beside|near|behind|facing|и|рядом с)\b)?[\s,;]*\Z",
    re.IGNORECASE,
)
EMPTY_SCENE = "plain background"  # the backend takes no prompt without words


@dataclass(frozen=True)
class RegionPrompts:
    """Prompt of each subject by its name, and the words that belong to the whole picture."""

    subjects: dict[str, str]
    whole: str

    def region_prompt(self, name: str) -> str:
        """Return the prompt for a subject's region: its own words and those of the whole."""
        return ", ".join(filter(None, (self.subjects[name], self.whole)))

    @property
    def scene(self) -> str:
        """Prompt for what lies outside of all regions."""
        return self.whole or EMPTY_SCENE


def split_prompt(prompt: str) -> RegionPrompts:
    """Split a prompt at its @names.

    A subject's words go from its @name to the next one or to the end of the line; what stands
    before the first on a line, and lines without any, belong to the whole picture.
    """
    subjects: dict[str, list[str]] = {}
    whole = []
    for line in prompt.splitlines():
        found = list(find_mentions(line))
        starts = [mention.start for mention in found]
        whole.append(_trimmed(line[: starts[0]] if starts else line))
        for mention, end in zip(found, [*starts[1:], len(line)]):
            subjects.setdefault(mention.name, []).append(_trimmed(line[mention.start : end]))
    return RegionPrompts(
        {name: ", ".join(texts) for name, texts in subjects.items()}, ", ".join(filter(None, whole))
    )


def _trimmed(text: str) -> str:
    return " ".join(_BETWEEN.sub("", text).split()).strip(" ,;")
