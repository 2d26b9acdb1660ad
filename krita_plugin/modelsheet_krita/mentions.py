"""Find the @names of subjects in prompts and in the names of layers, and make such names.

The same as the backend's `subjects/handles.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Callable

_JOINERS = "\u200c\u200d"  # invisible, within words of Persian and Indic scripts
_OWNER = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}/")


@dataclass(frozen=True)
class Mention:
    """`@name` at [start, end) of a text; the name may have an owner before it: "anna/hero"."""

    start: int
    end: int
    name: str


def handle(name: str) -> str:
    """Return the word after @: letters, marks and digits in lower case, underscores between."""
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    word = ""
    for character in folded:
        kind = unicodedata.category(character)[0]
        if kind in "LN" or (kind == "M" and word and word[-1] != "_"):
            word += character
        elif character not in _JOINERS and not word.endswith("_"):
            word += "_"
    return word.strip("_")


def find_mentions(text: str) -> Iterator[Mention]:
    """Yield the mentions of a text; an @ within a word, as in an address, is none."""
    for found in re.finditer("@", text):
        start = found.start()
        if start and _is_in_word(text[start - 1]):
            continue
        owner = _OWNER.match(text, start + 1)
        first = owner.end() if owner else start + 1
        end = next((n for n in range(first, len(text)) if not _is_in_word(text[n])), len(text))
        word = handle(text[first:end])
        if word:
            yield Mention(start, end, text[start + 1 : first] + word)


def names_in(text: str) -> list[str]:
    """Return the names of the subjects that a text mentions."""
    return [mention.name for mention in find_mentions(text)]


def without_mentions(text: str, filler: str) -> str:
    """Replace each character of the mentions by `filler`, so that all others keep their places."""
    return _replaced(text, lambda mention: filler * (mention.end - mention.start))


def rename(text: str, old: str, new: str) -> str:
    """Let a text mention `new` wherever it mentions `old`."""
    return _replaced(text, lambda one: f"@{new}" if one.name == old else text[one.start : one.end])


def _replaced(text: str, replacement: Callable[[Mention], str]) -> str:
    parts, end = [], 0
    for mention in find_mentions(text):
        parts += [text[end : mention.start], replacement(mention)]
        end = mention.end
    return "".join([*parts, text[end:]])


def _is_in_word(character: str) -> bool:
    """Return True for letters of every script, their marks, digits, and what joins them."""
    return character in f"_{_JOINERS}" or unicodedata.category(character)[0] in "LNM"
