"""The rare token that names the subject: one token, no word, and as neutral as can be measured."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

import torch
from transformers import CLIPTokenizer
from wordfreq import get_frequency_dict, get_frequency_list, zipf_frequency

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import InvalidIdentifier

_CANDIDATES = 64
_LENGTHS = range(3, 6)
# Zipf scale: 3 is a word met once in a million; below 1.5 nobody has heard of it, acronyms
# included.
_UNHEARD_OF = 1.5


def candidates(tokenizer: CLIPTokenizer, taken: Collection[str] = ()) -> list[str]:
    """Good identifiers, rarest first: single end-of-word tokens of letters that are no known word.

    A byte-pair vocabulary lists its merges by rank, so the last tokens are the rarest.
    """
    found = (word for word in _words_by_rarity(tokenizer) if is_good(word, tokenizer, taken))
    words = [word for word, _ in zip(found, range(_CANDIDATES), strict=False)]
    for kept in (get_frequency_dict, get_frequency_list):  # 25 MiB that nobody needs any more
        kept.cache_clear()
    return words


def is_good(word: str, tokenizer: CLIPTokenizer, taken: Collection[str] = ()) -> bool:
    return (
        len(word) in _LENGTHS
        and re.fullmatch("[a-z]+", word) is not None
        and word not in taken
        and zipf_frequency(word, "en") < _UNHEARD_OF
        and len(tokenizer.tokenize(word)) == 1
    )


def choose(base: BaseModel, class_noun: str, taken: Collection[str] = ()) -> list[str]:
    """The five most neutral candidates for this class noun, best first.

    Raises InvalidIdentifier when the vocabulary has none left.
    """
    words = candidates(base.tokenizers[0], taken)
    if not words:
        raise InvalidIdentifier("This base model has no rare token left. Delete a subject first.")
    shifts = neutrality(base, words, class_noun)
    return [word for _, word in sorted(zip(shifts, words, strict=True))][:5]


@torch.no_grad()
def neutrality(base: BaseModel, words: Sequence[str], class_noun: str) -> list[float]:
    """How far each word moves the text encoding, 0 for not at all: 1 − cosine of the last states.

    Compared is "a photo of [V] class" with "a photo of class" at the class noun's last token.
    """
    plain = _last_state(base, [f"a photo of {class_noun}"])
    named = _last_state(base, [f"a photo of {word} {class_noun}" for word in words])
    similar = torch.nn.functional.cosine_similarity(named, plain, dim=-1)
    return [1 - float(value) for value in similar]


def check(typed: str, base: BaseModel, taken: Collection[str] = ()) -> str:
    """Accept what the artist typed, or say what is wrong with it and offer the nearest good one.

    Raises InvalidIdentifier.
    """
    word, tokenizer = typed.strip().lower(), base.tokenizers[0]
    if is_good(word, tokenizer, taken):
        return word
    offer = _nearest(word, candidates(tokenizer, taken))
    raise InvalidIdentifier(
        f"{typed.strip()!r} {_fault(word, tokenizer, taken)}. Use {offer!r} instead, "
        "or leave the identifier empty."
    )


def _fault(word: str, tokenizer: CLIPTokenizer, taken: Collection[str]) -> str:
    if re.fullmatch("[a-z]+", word) is None:
        return "has other characters than letters"
    if word in taken:
        return "names another subject already"
    tokens = [token.removesuffix("</w>") for token in tokenizer.tokenize(word)]
    if len(tokens) > 1:
        return f"is {len(tokens)} tokens to this base model ({' + '.join(tokens)}), not one"
    if zipf_frequency(word, "en") >= _UNHEARD_OF:
        return "is a word that the base model knows already"
    return "is too short or too long (3 to 5 letters)"


def _nearest(word: str, offers: Sequence[str]) -> str:
    """The offer that shares most letters in place, so that it is easy to remember."""
    return max(offers, key=lambda offer: sum(a == b for a, b in zip(word, offer, strict=False)))


def _words_by_rarity(tokenizer: CLIPTokenizer) -> Iterator[str]:
    vocabulary: dict[str, int] = tokenizer.get_vocab()
    for token in sorted(vocabulary, key=lambda token: -vocabulary[token]):
        if token.endswith("</w>"):
            yield token.removesuffix("</w>")


def _last_state(base: BaseModel, prompts: Sequence[str]) -> torch.Tensor:
    """The state of each prompt's last word, (B, width). No state hears of what comes after it, so
    that the rest of the window need not be computed.
    """
    ids = base.tokenize(prompts)
    ends = (ids == base.tokenizers[0].eos_token_id).int().argmax(dim=1) - 1
    states: torch.Tensor = base.text_encoders[0](ids[:, : int(ends.max()) + 1]).last_hidden_state
    return states[torch.arange(len(ids), device=ids.device), ends]
