"""Prompts that mention subjects: whose they are, and what their identifiers may be."""

from __future__ import annotations

import pytest

from modelsheet.errors import InvalidRequest, NotFound
from modelsheet.prompts import mentions
from modelsheet.prompts.mentions import expand_prompt
from modelsheet.subjects.record import SubjectRecord
from tests.service.subject import subject_record

_STRANGE = ["a\\qb", "\\1", "\\g<x>", "(", "[a-", "c++", ".*", "hill", "gfx style"]


def _subject(
    name: str,
    identifier: str = "rjv",
    noun: str = "human woman",
    owner: str = "",
    is_imported: bool = False,
) -> SubjectRecord:
    number = abs(hash((name, owner))) % 10**12
    return subject_record(f"aaaaaaaa-0000-4000-8000-{number:012}", name).model_copy(
        update={
            "identifier": identifier,
            "class_noun": noun,
            "owner": owner,
            "is_imported": is_imported,
        }
    )


def _names(prompt: str, subjects: list[SubjectRecord], owner: str = "") -> list[str]:
    return [
        f"{subject.owner}/{subject.name}".lstrip("/")
        for subject in expand_prompt(prompt, subjects, owner).subjects
    ]


def test_a_mention_means_its_subject_alone_whatever_identifiers_coincide() -> None:
    subjects = [_subject("Villain", noun="orc man", is_imported=True), _subject("Hero")]

    expanded = expand_prompt("@hero holding sword", subjects)

    assert expanded.text == "rjv human woman holding sword"
    assert [subject.name for subject in expanded.subjects] == ["Hero"]
    assert expand_prompt("@villain, rjv", subjects).text == "rjv orc man, rjv orc man"


def test_only_the_beginning_of_a_long_mention_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[str] = []

    def closest(word: str, among: list[str], **_: object) -> list[str]:
        compared.append(word)
        return among

    monkeypatch.setattr(mentions.difflib, "get_close_matches", closest)
    with pytest.raises(NotFound, match="Did you mean @hero"):
        expand_prompt("@" + "x" * 1900, [_subject("Hero")])

    assert compared == ["x" * 80]


def test_a_bare_identifier_is_a_mention_and_gets_its_noun_once() -> None:
    subjects = [_subject("Hero")]

    for prompt in ("rjv on grass", "rjv human woman on grass", "rjv  human woman on grass"):
        assert expand_prompt(prompt, subjects).text == "rjv human woman on grass"
    assert expand_prompt("rjv human womanly, rjvx", subjects).text == (
        "rjv human woman human womanly, rjvx"
    )


@pytest.mark.parametrize("strange", _STRANGE)
def test_neither_identifier_nor_noun_is_a_pattern(strange: str) -> None:
    subjects = [
        _subject("Fox", strange, strange, is_imported=True),
        _subject("Cat", strange, strange),
    ]

    assert expand_prompt("a green meadow", subjects).text == "a green meadow"
    assert expand_prompt("@fox runs", subjects).text == f"{strange} {strange} runs"


def test_an_imported_identifier_changes_no_prompt_without_a_mention() -> None:
    subjects = [_subject("Fox", "hill", "fox", is_imported=True)]

    expanded = expand_prompt("a green hill", subjects)

    assert (expanded.text, expanded.subjects) == ("a green hill", ())


def test_ones_own_subjects_come_before_anothers() -> None:
    subjects = [_subject("Hero", owner="ann"), _subject("Hero"), _subject("Fox", owner="ann")]

    assert _names("@hero", subjects) == ["Hero"]
    assert _names("@ann/hero and @hero", subjects) == ["ann/Hero", "Hero"]
    assert _names("@fox", subjects) == ["ann/Fox"]
    assert _names("rjv", subjects) == ["Hero"]
    assert _names("@hero/night", subjects) == ["Hero"]
    assert expand_prompt("@hero/night", subjects).text == "rjv human woman/night"


def test_a_handle_of_two_other_artists_is_asked_back() -> None:
    subjects = [_subject("Hero", owner="ann"), _subject("Hero", owner="bob")]

    with pytest.raises(InvalidRequest, match="Write @ann/hero or @bob/hero"):
        expand_prompt("@hero", subjects)
    with pytest.raises(NotFound, match="@ann/fox is not known"):
        expand_prompt("@ann/fox", subjects)


def test_a_subject_that_is_not_learnt_yet_is_its_noun_and_its_pictures() -> None:
    unlearnt = {"adapter_sha256": "", "identifier": ""}
    subjects = [
        _subject("Hero", noun="girl").model_copy(update=unlearnt),
        _subject("Rex", noun="dog").model_copy(update={**unlearnt, "base_model": "klein"}),
    ]

    def count(subject: SubjectRecord) -> int:
        return {"Hero": 3, "Rex": 1}[subject.name]

    assert expand_prompt("@hero with @rex", subjects).text == "girl with dog"
    numbered = expand_prompt("@rex beside @hero, @rex sits", subjects, "", count)
    assert numbered.text == "dog from image 1 beside girl from images 2 to 4, dog from image 1 sits"
    assert (numbered.learnt_on, numbered.base_model) == (None, "klein")
    both = expand_prompt("@rex with @orc", [*subjects, _subject("Orc", noun="orc")])
    assert both.base_model == both.learnt_on == "sprite32", "references fit any base model"
