"""Subjects named on the command line."""

from __future__ import annotations

from modelsheet.api.subjects import SubjectView
from modelsheet.cli.subjects import find_subject


def _view(name: str, owner: str = "", identifier: str = "xyz") -> SubjectView:
    return SubjectView(
        id=f"{owner}:{name}",
        name=name,
        class_noun="knight",
        identifier=identifier,
        base_model="sprite32",
        created=1.0,
        owner=owner,
        references=[],
        training_steps=1,
    )


def test_a_name_is_ones_own_subject_before_anothers_or_an_identifier() -> None:
    known = [
        _view("Hero", "ann"),
        _view("Fox", "ann", identifier="hero"),
        _view("Hero"),
        _view("Fox", "bob"),
    ]

    assert find_subject(known, "@hero").id == ":Hero"
    assert find_subject(known, "@ann/hero").id == "ann:Hero"
    assert find_subject(known, "fox").id == "ann:Fox"
    assert find_subject(known, "bob/Fox").id == "bob:Fox"
    assert find_subject(known, "xyz").id == ":Hero"
