"""Choose and check the subject's identifier: one rare token, no word, as neutral as possible."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import torch
from wordfreq import get_frequency_dict, get_frequency_list, zipf_frequency

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import InvalidIdentifier

_CANDIDATES = 64
_LENGTHS = range(3, 6)
# Zipf scale: 3 is a word met once in a million; below 1.5 are unknown words, acronyms included.
_MAX_ZIPF = 1.5


def candidates(base: BaseModel, taken: Collection[str] = ()) -> list[str]:
    """List good identifiers, rarest first: single end-of-word tokens of letters, no known words.

    A byte-pair vocabulary lists its merges by rank, so the last tokens are the rarest.
    """
    found = (word for word in base.words_by_rarity() if is_good(word, base, taken))
    words = [word for word, _ in zip(found, range(_CANDIDATES), strict=False)]
    for cached in (get_frequency_dict, get_frequency_list):  # 25 MiB, no longer needed
        cached.cache_clear()
    return words


def is_good(word: str, base: BaseModel, taken: Collection[str] = ()) -> bool:
    """Tell if a word is a single token of 3 to 5 letters that is neither taken nor a known word."""
    return (
        len(word) in _LENGTHS
        and re.fullmatch("[a-z]+", word) is not None
        and word not in taken
        and zipf_frequency(word, "en") < _MAX_ZIPF
        and len(base.split_word(word)) == 1
    )


def choose(base: BaseModel, class_noun: str, taken: Collection[str] = ()) -> list[str]:
    """Return the five most neutral candidates for this class noun, best first.

    Raises InvalidIdentifier when the vocabulary has none left.
    """
    words = candidates(base, taken)
    if not words:
        raise InvalidIdentifier("This base model has no rare token left. Delete a subject first.")
    shifts = neutrality(base, words, class_noun)
    return [word for _, word in sorted(zip(shifts, words, strict=True))][:5]


@torch.no_grad()
def neutrality(base: BaseModel, words: Sequence[str], class_noun: str) -> list[float]:
    """Measure the distance each word moves the text encoding: 1 − cosine of the last states.

    Compared is "a photo of [V] class" with "a photo of class" at the class noun's last token.
    """
    plain = base.last_word_states([f"a photo of {class_noun}"])
    named = base.last_word_states([f"a photo of {word} {class_noun}" for word in words])
    similar = torch.nn.functional.cosine_similarity(named, plain, dim=-1)
    return [1 - float(value) for value in similar]


def check(typed: str, base: BaseModel, taken: Collection[str] = ()) -> str:
    """Return the typed identifier in lower case. Raises InvalidIdentifier, with the fault and the
    nearest good one.
    """
    word = typed.strip().lower()
    if is_good(word, base, taken):
        return word
    offer = _nearest(word, candidates(base, taken))
    raise InvalidIdentifier(
        f"{typed.strip()!r} {_fault(word, base, taken)}. Use {offer!r} instead, "
        "or leave the identifier empty."
    )


def _fault(word: str, base: BaseModel, taken: Collection[str]) -> str:
    if re.fullmatch("[a-z]+", word) is None:
        return "has other characters than letters"
    if word in taken:
        return "names another subject already"
    tokens = base.split_word(word)
    if len(tokens) > 1:
        return f"is {len(tokens)} tokens to this base model ({' + '.join(tokens)}), not one"
    if zipf_frequency(word, "en") >= _MAX_ZIPF:
        return "is a word that the base model knows already"
    return "is too short or too long (3 to 5 letters)"


def _nearest(word: str, offers: Sequence[str]) -> str:
    """Return the offer that shares most letters in place, so that it is easy to remember."""
    return max(offers, key=lambda offer: sum(a == b for a, b in zip(word, offer, strict=False)))
