"""Prompt syntax: weights as in A1111, and seeded wildcards."""

from __future__ import annotations

import pytest

from modelsheet.errors import InvalidRequest
from modelsheet.prompts.syntax import check_syntax, expand_wildcards, parse_weights

WEIGHTS = {
    "plain words": [("plain words", 1.0)],
    "a (red:1.3) cat": [("a ", 1.0), ("red", 1.3), (" cat", 1.0)],
    "(red)": [("red", 1.1)],
    "[red]": [("red", 1 / 1.1)],
    "((red))": [("red", 1.21)],
    "(a (b:2) c:0.5)": [("a ", 0.5), ("b", 1.0), (" c", 0.5)],
    r"\(as such\): 1:2": [("(as such): 1:2", 1.0)],
    "(two words : 0)": [("two words ", 0.0)],
    "(sword:1,3)": [("sword", 1.3)],
    "": [],
}


@pytest.mark.parametrize(("prompt", "parts"), WEIGHTS.items())
def test_weights_are_read_as_other_tools_read_them(
    prompt: str, parts: list[tuple[str, float]]
) -> None:
    read = [(part.text, pytest.approx(part.weight)) for part in parse_weights(prompt)]

    assert read == parts


@pytest.mark.parametrize("prompt", ["(red", "red)", "[red", "(red]", "red:1.2)"])
def test_a_bracket_without_partner_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match="has no partner"):
        parse_weights(prompt)


def test_the_bracket_that_is_there_is_named() -> None:
    with pytest.raises(InvalidRequest, match=r"A '\)' in"):
        parse_weights("fox :)")


@pytest.mark.parametrize(
    "other", ["<lora:hero:0.8>", "[cat:dog:0.5]", "BREAK", "__animal__", "{2$$a|b}"]
)
def test_syntax_of_other_programs_is_refused(other: str) -> None:
    with pytest.raises(InvalidRequest, match="means nothing here"):
        check_syntax(f"knight {other} sword")


@pytest.mark.parametrize(
    "prompt", ["[red] [blue:x]", "a breakfast", "(red:1.2), [(b:2)]", "@my_hero {2|3}"]
)
def test_brackets_of_our_own_stay(prompt: str) -> None:
    check_syntax(prompt)


@pytest.mark.parametrize("weight", ["7", "-1"])
def test_a_weight_out_of_range_is_refused(weight: str) -> None:
    with pytest.raises(InvalidRequest, match="give 0 to 5"):
        parse_weights(f"(red:{weight})")


def test_wildcards_are_chosen_by_the_seed_and_every_one_comes() -> None:
    prompt = "@hero holding {sword|axe|{bone|magic} staff}"
    chosen = [expand_wildcards(prompt, seed) for seed in range(60)]

    assert chosen == [expand_wildcards(prompt, seed) for seed in range(60)]
    things = ("sword", "axe", "bone staff", "magic staff")
    assert set(chosen) == {f"@hero holding {thing}" for thing in things}


def test_an_empty_alternative_leaves_no_gap() -> None:
    assert {expand_wildcards("a {|red} cat", seed) for seed in range(20)} == {"a cat", "a red cat"}


@pytest.mark.parametrize("prompt", ["{a|b", "a}", "{{a}"])
def test_a_brace_without_partner_is_refused(prompt: str) -> None:
    with pytest.raises(InvalidRequest, match="has no partner"):
        expand_wildcards(prompt, 0)
