"""Prompt syntax: weights, (word:1.2) and [word], and wildcards, {a|b}. No torch."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from modelsheet.errors import InvalidRequest

_INNERMOST = re.compile(r"\{([^{}]*)\}")
_MOST_WILDCARDS = 1000
_STRONGER = 1.1  # (word); [word] is its inverse
_LEAST_WEIGHT, _MOST_WEIGHT = 0.0, 5.0
_TOKEN = re.compile(
    r"\\(?P<escaped>[()\[\]\\{}|])|(?P<open>[(\[])|:\s*(?P<weight>[+-]?\d*[.,]?\d+)\s*\)"
    r"|(?P<close>[)\]])|(?P<text>[^\\()\[\]:]+|[\\:])"
)
_OPENER = {")": "(", "]": "["}
# A1111's files, prompt editing and chunks; lists and numbers of Dynamic Prompts.
_OTHER_SYNTAX = re.compile(
    r"<(?:lora|lyco|hypernet):[^<>]*>|\[[^\[\]:]*:[^\[\]:]*:\s*[\d.,]+\s*\]|\bBREAK\b"
    r"|__[\w/*.-]{1,100}?__|\{\s*[\d-]{1,9}\$\$"
)


@dataclass(frozen=True)
class WeightedText:
    """A part of a prompt and its weight; 1 is neutral."""

    text: str
    weight: float


def check_syntax(prompt: str) -> None:
    """Check brackets, braces and weights of a prompt.

    Raises InvalidRequest when a bracket or brace has no partner, a weight is out of range, or there
    is syntax that only other programs know.
    """
    other = _OTHER_SYNTAX.search(prompt)
    if other is not None:
        raise InvalidRequest(
            f"“{other[0]}” means nothing here. Leave it out; a LoRA file is imported as a subject, "
            "and called by @ and its name."
        )
    parse_weights(expand_wildcards(prompt, 0))


def expand_wildcards(prompt: str, seed: int) -> str:
    """Replace each {a|b} by one of its alternatives, chosen by the seed; they may be nested.

    Raises InvalidRequest when a brace has no partner.
    """
    generator = random.Random(seed)
    for _ in range(_MOST_WILDCARDS):
        found = _INNERMOST.search(prompt)
        if found is None:
            break
        chosen = generator.choice(found[1].split("|"))
        prompt = prompt[: found.start()] + chosen + prompt[found.end() :]
    if "{" in prompt or "}" in prompt:
        raise InvalidRequest(
            "A { or } in the prompt has no partner. Write alternatives as {sword|axe}."
        )
    return re.sub(r"\s+", " ", prompt).strip()


def parse_weights(prompt: str) -> list[WeightedText]:
    r"""Split a prompt by weight: (word:1.2), (word) for 1.1, [word] for 1/1.1; nested weights
    multiply; \( is the bracket itself.

    Raises InvalidRequest when a bracket has no partner, or a weight is not between 0 and 5.
    """
    parts: list[WeightedText] = []
    opened: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(prompt):
        if token["open"]:
            opened.append((token["open"], len(parts)))
        elif token["weight"]:
            _multiply_weights(
                parts, _pop_partner(opened, ")"), _check_weight(_number(token["weight"]))
            )
        elif token["close"]:
            factor = _STRONGER if token["close"] == ")" else 1 / _STRONGER
            _multiply_weights(parts, _pop_partner(opened, token["close"]), factor)
        else:
            parts.append(WeightedText(token["escaped"] or token["text"], 1.0))
    if opened:
        raise _unpaired(opened[-1][0])
    return _merge_neighbours(parts)


def _pop_partner(opened: list[tuple[str, int]], closing: str) -> int:
    if not opened or opened[-1][0] != _OPENER[closing]:
        raise _unpaired(closing)
    return opened.pop()[1]


def _number(text: str) -> float:
    return float(text.replace(",", "."))


def _unpaired(bracket: str) -> InvalidRequest:
    return InvalidRequest(
        f"A {bracket!r} in the prompt has no partner. Write weights as (word:1.2), and \\{bracket} "
        "for the bracket itself."
    )


def _check_weight(weight: float) -> float:
    if not _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
        raise InvalidRequest(
            f"A word cannot weigh {weight:g} in the prompt: give {_LEAST_WEIGHT:g} to "
            f"{_MOST_WEIGHT:g}; 1 is as usual, 1.2 a little more."
        )
    return weight


def _multiply_weights(parts: list[WeightedText], first: int, factor: float) -> None:
    parts[first:] = [WeightedText(part.text, part.weight * factor) for part in parts[first:]]


def _merge_neighbours(parts: list[WeightedText]) -> list[WeightedText]:
    """Merge neighbours of equal weight, so that no word is split."""
    merged: list[WeightedText] = []
    for part in parts:
        if merged and merged[-1].weight == part.weight:
            merged[-1] = WeightedText(merged[-1].text + part.text, part.weight)
        else:
            merged.append(part)
    return merged
