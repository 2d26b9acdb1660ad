"""Split a prompt that names several subjects into the words of each and those of the whole."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

_JOINERS = "\u200c\u200d"  # invisible, within words of Persian and Indic scripts
_OWNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}/")
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


def names_in(text: str) -> list[str]:
    """Return the names of the subjects that a text mentions, as `handle` makes them of a name.

    A name may have an owner before it: `@anna/hero` is "anna/hero".
    """
    return [name for _, name in _mentions(text)]


def split_prompt(prompt: str) -> RegionPrompts:
    """Split a prompt at its @names.

    A subject's words go from its @name to the next one or to the end of the line; what stands
    before the first on a line, and lines without any, belong to the whole picture.
    """
    subjects: dict[str, list[str]] = {}
    whole = []
    for line in prompt.splitlines():
        found = list(_mentions(line))
        starts = [start for start, _ in found]
        whole.append(_trimmed(line[: starts[0]] if starts else line))
        for (start, name), end in zip(found, [*starts[1:], len(line)]):
            subjects.setdefault(name, []).append(_trimmed(line[start:end]))
    return RegionPrompts(
        {name: ", ".join(texts) for name, texts in subjects.items()}, ", ".join(filter(None, whole))
    )


def _mentions(text: str) -> Iterator[tuple[int, str]]:
    """Yield start and name of each mention; an @ within a word, as in an address, is none."""
    for found in re.finditer("@", text):
        start = found.start()
        if start and (text[start - 1] == "@" or _is_word(text[start - 1])):
            continue
        owner = _OWNER.match(text, start + 1)
        first = owner.end() if owner else start + 1
        end = next((n for n in range(first, len(text)) if not _is_word(text[n])), len(text))
        name = unicodedata.normalize("NFC", text[start + 1 : end]).casefold()
        if end > first:
            yield start, name.translate(dict.fromkeys(map(ord, _JOINERS)))


def _is_word(character: str) -> bool:
    """Return True for letters of every script, their marks, digits, and what joins them."""
    return character in f"_{_JOINERS}" or unicodedata.category(character)[0] in "LNM"


def _trimmed(text: str) -> str:
    return " ".join(_BETWEEN.sub("", text).split()).strip(" ,;")
