"""What the backend says, in the artist's language: it speaks English and fills in names, numbers.

translations/xx.backend.json has each of its sentences with {0}, {1}, … in place of these. What is
not there, as from a newer backend, stays English.
"""

from __future__ import annotations

import functools
import json
import re
import string
from typing import NewType

from .. import i18n

Said = NewType("Said", str)  # a field of the contract that the artist reads


def translate(sentence: str) -> Said:
    """Say a sentence of the backend's, and what was filled into it, as the docker speaks."""
    for pattern, said in _sentences(i18n.spoken()):
        found = pattern.fullmatch(sentence)
        if found is not None:
            return Said(said.format(*(translate(part) for part in found.groups())))
    return Said(sentence)


@functools.cache
def _sentences(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """The longest first: a short one may fit what a longer one says better."""
    path = i18n.FOLDER / f"{language}.backend.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    patterns = [(_pattern(sentence), said) for sentence, said in known.items()]
    return tuple(sorted(patterns, key=lambda one: -len(one[0].pattern)))


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = string.Formatter().parse(sentence)
    text = "".join(
        re.escape(literal) + "(.*?)" * (name is not None) for literal, name, _, _ in parts
    )
    return re.compile(text, re.DOTALL)
