"""What artists write in prompts beyond words: (word:1.2), [word] and {a|b}. No torch."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass

from modelsheet.errors import InvalidRequest

_INNERMOST = re.compile(r"\{([^{}]*)\}")
_MOST_CHOICES = 1000
_STRONGER = 1.1  # (word); [word] is its inverse
_LEAST_WEIGHT, _MOST_WEIGHT = 0.0, 5.0
_TOKEN = re.compile(
    r"\\(?P<escaped>[()\[\]\\{}|])|(?P<open>[(\[])|:\s*(?P<weight>[+-]?\d*\.?\d+)\s*\)"
    r"|(?P<close>[)\]])|(?P<text>[^\\()\[\]:]+|[\\:])"
)
_OPENER = {")": "(", "]": "["}


@dataclass(frozen=True)
class WeightedText:
    """Some words and how much they count; 1 is as usual."""

    text: str
    weight: float


def check_syntax(prompt: str) -> None:
    """Raises InvalidRequest: a bracket or brace has no partner, or a weight is out of range."""
    parse_weights(choose_wildcards(prompt, 0))


def choose_wildcards(prompt: str, seed: int) -> str:
    """Put one of the alternatives for each {a|b}, chosen by the seed; they may be nested.

    Raises InvalidRequest: a brace has no partner.
    """
    chance = random.Random(seed)
    for _ in range(_MOST_CHOICES):
        found = _INNERMOST.search(prompt)
        if found is None:
            break
        chosen = chance.choice(found[1].split("|"))
        prompt = prompt[: found.start()] + chosen + prompt[found.end() :]
    if "{" in prompt or "}" in prompt:
        raise InvalidRequest(
            "A { or } in the prompt has no partner. Write alternatives as {sword|axe}."
        )
    return re.sub(r"\s+", " ", prompt).strip()


def parse_weights(prompt: str) -> list[WeightedText]:
    r"""Split a prompt by how much its words count: (word:1.2), (word) for 1.1, [word] for 1/1.1,
    nested they multiply; \( is a bracket as such.

    Raises InvalidRequest: a bracket has no partner, or a weight is not between 0 and 5.
    """
    parts: list[WeightedText] = []
    opened: list[tuple[str, int]] = []
    for token in _TOKEN.finditer(prompt):
        if token["open"]:
            opened.append((token["open"], len(parts)))
        elif token["weight"]:
            _weigh(parts, _partner(opened, "("), _checked(float(token["weight"])))
        elif token["close"]:
            opener = _OPENER[token["close"]]
            factor = _STRONGER if opener == "(" else 1 / _STRONGER
            _weigh(parts, _partner(opened, opener), factor)
        else:
            parts.append(WeightedText(token["escaped"] or token["text"], 1.0))
    if opened:
        raise _unpaired(opened[-1][0])
    return _joined(parts)


def _partner(opened: list[tuple[str, int]], opener: str) -> int:
    if not opened or opened[-1][0] != opener:
        raise _unpaired(opener)
    return opened.pop()[1]


def _unpaired(bracket: str) -> InvalidRequest:
    return InvalidRequest(
        f"A {bracket!r} in the prompt has no partner. Write weights as (word:1.2), and \\{bracket} "
        "for the bracket itself."
    )


def _checked(weight: float) -> float:
    if not _LEAST_WEIGHT <= weight <= _MOST_WEIGHT:
        raise InvalidRequest(
            f"A word cannot weigh {weight:g} in the prompt: give {_LEAST_WEIGHT:g} to "
            f"{_MOST_WEIGHT:g}; 1 is as usual, 1.2 a little more."
        )
    return weight


def _weigh(parts: list[WeightedText], first: int, factor: float) -> None:
    parts[first:] = [WeightedText(part.text, part.weight * factor) for part in parts[first:]]


def _joined(parts: list[WeightedText]) -> list[WeightedText]:
    """Let neighbours of one weight be one text, so that no word is cut."""
    joined: list[WeightedText] = []
    for part in parts:
        if joined and joined[-1].weight == part.weight:
            joined[-1] = WeightedText(joined[-1].text + part.text, part.weight)
        else:
            joined.append(part)
    return joined
