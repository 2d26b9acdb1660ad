"""Handles: the words by which prompts mention subjects, and the mentions in a prompt.

Letters of every script count, with their vowel signs and accents; composed and decomposed forms of
a letter are one. The plugin computes the same in `controllers/subject_names.py`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from modelsheet.errors import InvalidRequest

_JOINERS = "\u200c\u200d"  # invisible characters within words of Persian and Indic scripts
_OWNER = re.compile(r"([a-z0-9][a-z0-9._-]{0,39})/(?=.)", re.DOTALL)


@dataclass(frozen=True)
class Mention:
    """`@word`, or `@owner/word`, at [start, end) of a prompt; `owner` is "" where none is named."""

    start: int
    end: int
    word: str
    owner: str = ""

    @property
    def handle(self) -> str:
        return handle_of(self.word)

    def __str__(self) -> str:
        return f"@{self.owner}/{self.word}" if self.owner else f"@{self.word}"


def handle_of(name: str) -> str:
    """Return the handle of a name, as typed after the @ in a prompt.

    It is casefolded; each run of characters other than letters, their marks and digits becomes one
    `_`, and invisible joiners go.
    """
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
    handle = ""
    for character in folded:
        if _is_letter(character) or (_is_mark(character) and handle and handle[-1] != "_"):
            handle += character
        elif character not in _JOINERS and not handle.endswith("_"):
            handle += "_"
    return handle.strip("_")


def require_handle(name: str) -> None:
    """Check that a name has a handle. Raises InvalidRequest: prompts could not mention it."""
    if not handle_of(name):
        raise InvalidRequest(
            "The name needs at least one letter or digit: prompts call the subject by @name."
        )


def find_mentions(prompt: str) -> Iterator[Mention]:
    """Yield the mentions of a prompt in their order; an @ within a word, as in an address, is none.

    `@a/b` has the owner "a": the caller decides if there is such an owner.
    """
    end = 0
    while (start := prompt.find("@", end)) >= 0:
        end = start + 1
        if start and is_word_character(prompt[start - 1]):
            continue
        owner = _OWNER.match(prompt, end)
        word = owner.end() if owner and is_word_character(prompt[owner.end()]) else end
        end = _end_of_word(prompt, word)
        if end > word:
            yield Mention(
                start, end, prompt[word:end], owner[1] if owner and word > start + 1 else ""
            )


def is_word_character(character: str) -> bool:
    """Return True for the characters of a word: letters, their marks, digits, `_` and joiners."""
    return character in f"_{_JOINERS}" or _is_letter(character) or _is_mark(character)


def _end_of_word(text: str, start: int) -> int:
    after = (end for end in range(start, len(text)) if not is_word_character(text[end]))
    return next(after, len(text))


def _is_letter(character: str) -> bool:
    return unicodedata.category(character)[0] in "LN"


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"
