"""Handles of names in many scripts, and the mentions in prompts."""

from __future__ import annotations

import unicodedata

import pytest

from modelsheet.subjects.handles import find_mentions, handle_of

_NAMES = ["राम", "रीम", "สวัสดี", "நாயகன்", "မြန်မာ", "مُحَمَّد", "שָׁלוֹם", "Ärger", "Việt", "한글"]


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("Hero", "hero"),
        ("Sir  Gawain-II", "sir_gawain_ii"),
        ("__x__", "x"),
        ("Große Ähre", "grosse_ähre"),
        ("🙂", ""),
        ("⚔️ Hero ⚔️", "hero"),
        ("a/../b", "a_b"),
        ("A\u0308rger", "ärger"),
        ("می\u200cخواهم", "میخواهم"),
        ("\u0301", ""),
    ],
)
def test_the_handle_is_what_can_be_typed(name: str, handle: str) -> None:
    assert handle_of(name) == handle


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_vowel_signs_and_decomposed_letters_belong_to_names(name: str, form: str) -> None:
    typed = unicodedata.normalize(form, name)
    [mention] = find_mentions(f"a picture of @{typed}, on grass")

    assert mention.word == typed
    assert mention.handle == handle_of(name) == unicodedata.normalize("NFC", name.casefold())


def test_names_of_other_vowels_have_other_handles() -> None:
    assert len({handle_of(name) for name in _NAMES}) == len(_NAMES)


@pytest.mark.parametrize(
    ("prompt", "mentions"),
    [
        ("@hero", ["@hero"]),
        ("(@hero:1.2), @fox's cape", ["@hero", "@fox"]),
        ("@hero/@fox", ["@hero", "@fox"]),
        ("@ann/hero and @ann.b-2/fox", ["@ann/hero", "@ann.b-2/fox"]),
        ("@hero/ @hero/!", ["@hero", "@hero"]),
        ("me@home.org @ @@ @", []),
        ("@@hero", ["@hero"]),
        ("@" * 2000, []),
    ],
)
def test_mentions_are_found(prompt: str, mentions: list[str]) -> None:
    found = list(find_mentions(prompt))

    assert [str(mention) for mention in found] == mentions
    assert [prompt[mention.start : mention.end] for mention in found] == mentions
