"""Vocabulary of a base model's training captions: what a prompt can ask for, and which words of it
count for nothing. No torch.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from modelsheet.api.types import Family
from modelsheet.api.vocabulary import Vocabulary
from modelsheet.base_models.families import is_pixel_art
from modelsheet.prompts.class_nouns import known_class_nouns

# All details and backgrounds of sprite32's training captions; the rest of them are class nouns.
_DETAILS = Path(__file__).parent / "caption_details.json"
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_MENTION = re.compile(r"@[^\s,;.:|(){}\[\]]+")
# Without a meaning of their own, so that their absence from captions does no harm.
_FUNCTION_WORDS = (
    *("a", "an", "the", "and", "or", "of", "in", "at", "by", "to", "for", "from", "with", "on"),
    *("is", "his", "her", "its", "their", "who", "that", "which"),
)


@functools.cache
def vocabulary(family: Family) -> Vocabulary:
    """Return the phrases and words of a family's captions; empty for SD, which knows any word."""
    if not is_pixel_art(family):
        return Vocabulary()
    details: list[str] = json.loads(_DETAILS.read_text("utf-8"))
    phrases = [*details, *known_class_nouns(family)]
    words = {word for phrase in phrases for word in words_of(phrase)} | set(_FUNCTION_WORDS)
    return Vocabulary(phrases=phrases, words=sorted(words))


def words_of(text: str) -> list[str]:
    """List the words of a prompt in lower case, without mentions, numbers and weights."""
    return [word.lower() for word in _WORD.findall(_MENTION.sub(" ", text))]


def unknown_words(texts: Sequence[str], family: Family, learnt: Collection[str] = ()) -> list[str]:
    """List the words that count for nothing, in their order: those that neither the base model's
    captions nor the subjects' own, `learnt`, contain.
    """
    known = set(vocabulary(family).words)
    if not known:
        return []
    known.update(word for caption in learnt for word in words_of(caption))
    return list(dict.fromkeys(w for text in texts for w in words_of(text) if w not in known))
