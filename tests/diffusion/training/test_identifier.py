"""Good identifiers are rare single tokens that are no words; others are refused with an offer."""

from __future__ import annotations

import pytest
import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training import identifier
from modelsheet.errors import InvalidIdentifier


def test_candidates_are_single_tokens_of_letters_and_no_words(sd15: BaseModel) -> None:
    words = identifier.candidates(sd15)

    assert len(words) >= 32
    assert all(word.isalpha() and word.islower() for word in words)
    assert all(len(sd15.tokenizers[0].tokenize(word)) == 1 for word in words)
    assert not {"man", "robe", "the", "staff"} & set(words)


def test_a_taken_identifier_is_not_offered_again(sd15: BaseModel) -> None:
    first = identifier.choose(sd15, "imp")[0]

    assert first not in identifier.choose(sd15, "imp", taken={first})


def test_neutrality_is_that_of_whole_windows(sd15: BaseModel) -> None:
    end = sd15.tokenizers[0].eos_token_id

    def last_state(prompt: str) -> torch.Tensor:
        place = sd15.tokenize([prompt])[0][0].tolist().index(end) - 1
        return sd15.encode_prompts([prompt]).hidden[0, place]

    words, plain = ["robe", "qzw"], last_state("a photo of imp")
    named = [last_state(f"a photo of {word} imp") for word in words]
    expected = [1 - float(torch.cosine_similarity(state, plain, dim=0)) for state in named]

    assert identifier.neutrality(sd15, words, "imp") == pytest.approx(expected, abs=1e-5)
    assert min(expected) > 1e-3


def test_the_most_neutral_come_first(sd15: BaseModel) -> None:
    words = identifier.candidates(sd15)

    chosen = identifier.choose(sd15, "imp")

    shifts = dict(zip(words, identifier.neutrality(sd15, words, "imp"), strict=True))
    assert [shifts[word] for word in chosen] == sorted(shifts.values())[:5]


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("ktn", r"is [23] tokens to this base model \(k"),
        ("robe", "is a word that the base model knows already"),
        ("my hero", "has other characters than letters"),
        ("a1", "has other characters than letters"),
    ],
)
def test_a_bad_identifier_is_refused_with_a_good_one(
    sd15: BaseModel, typed: str, reason: str
) -> None:
    with pytest.raises(InvalidIdentifier, match=reason) as refusal:
        identifier.check(typed, sd15)

    offer = str(refusal.value).split("Use '")[1].split("'")[0]
    assert identifier.check(offer, sd15) == offer


def test_one_in_use_is_refused(sd15: BaseModel) -> None:
    word = identifier.candidates(sd15)[0]

    with pytest.raises(InvalidIdentifier, match="names another subject already"):
        identifier.check(word, sd15, taken={word})


def test_a_good_one_is_taken_as_typed(sd15: BaseModel) -> None:
    word = identifier.candidates(sd15)[3]

    assert identifier.check(f" {word.upper()} ", sd15) == word
