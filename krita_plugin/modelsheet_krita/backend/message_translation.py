"""Translate the backend's sentences, which are English and have names and numbers filled in.

translations/xx.backend.json has each sentence with {0}, {1}, … in place of these. Sentences that
are missing there, as from a newer backend, stay English.
"""

from __future__ import annotations

import functools
import json
import re
import string
from typing import NewType

from .. import i18n

Message = NewType("Message", str)  # a field of the API that the artist reads


def translate(sentence: str) -> Message:
    """Translate a sentence of the backend, and what is filled into it, for the docker."""
    for pattern, translation in _sentences(i18n.current_language()):
        found = pattern.fullmatch(sentence)
        if found is not None:
            return Message(translation.format(*(translate(part) for part in found.groups())))
    return Message(sentence)


@functools.cache
def _sentences(language: str) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return patterns with translations, the longest first: a short one may match too much."""
    path = i18n.FOLDER / f"{language}.backend.json"
    known = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    patterns = [(_pattern(sentence), translation) for sentence, translation in known.items()]
    return tuple(sorted(patterns, key=lambda one: -len(one[0].pattern)))


def _pattern(sentence: str) -> re.Pattern[str]:
    parts = string.Formatter().parse(sentence)
    text = "".join(
        re.escape(literal) + "(.*?)" * (name is not None) for literal, name, _, _ in parts
    )
    return re.compile(text, re.DOTALL)
