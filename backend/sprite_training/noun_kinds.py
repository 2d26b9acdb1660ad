"""Write which everyday noun each less common English noun is a kind of, from WordNet's hypernyms.

python -m sprite_training.noun_kinds /usr/share/wordnet backend/modelsheet/prompts/noun_kinds.txt
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wordfreq import zipf_frequency

from modelsheet.prompts.everyday_nouns import everyday_nouns

_LEAST_FREQUENCY = 2.8  # zipf: about one word in two million
_CONCRETE = {5, 6, 13, 17, 18, 20}  # WordNet's animals, artifacts, food, objects, persons, plants
# Everyday nouns that are something else where WordNet has them as a kind of other nouns.
_AMBIGUOUS = frozenset(
    (
        "soul",
        "being",
        "face",
        "head",
        "bust",
        "figure",
        "character",
        "body",
        "thing",
        "top",
        "game",
        "agent",
        "chief",
        "general",
        "page",
        "private",
        "native",
        "medic",
        "reed",
        "gear",
        "vessel",
        "sage",
        "spring",
        "table",
        "twin",
        "star",
        "key",
        "alien",
        "monster",
        "imp",
        "pet",
        "phone",
        "box",
        "cap",
        "pot",
    )
)
_ROOTS = {"artifact": "thing", "natural object": "thing", "person": "person", "animal": "animal"}
_UNFIT = re.compile(
    "offensive|derogatory|disparag|insult|slur|obscene|vulgar|sexual|prostitut|genital|abuse|stupid"
)
_UNFIT_NOUNS = frozenset(
    ("bimbo", "bugger", "coon", "cripple", "homo", "midget", "ponce", "retard", "slut", "thong")
)


@dataclass(frozen=True)
class _Synset:
    category: int
    lemmas: list[str]
    hypernyms: list[str]
    is_fit: bool


def main(arguments: list[str]) -> None:
    """Read WordNet's folder, write the file of kinds; its licence stands in the file's head."""
    folder, target = map(Path, arguments)
    kinds: dict[str, list[str]] = {}
    for noun, kind in sorted(_kinds(folder)):
        kinds.setdefault(kind, []).append(noun)
    head = [line for line in target.read_text("utf-8").splitlines() if line.startswith("#")]
    lines = [f"{kind}: {' '.join(nouns)}" for kind, nouns in sorted(kinds.items())]
    target.write_text("\n".join([*head, *lines]) + "\n", "utf-8")


def _kinds(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each noun whose first meaning is concrete, with its nearest everyday noun."""
    synsets = dict(_synsets(folder / "data.noun"))
    everyday = {noun for noun in everyday_nouns() if noun.isascii()}
    for noun, meanings in _meanings(folder / "index.noun"):
        first, synset = meanings[0], synsets[meanings[0]]
        is_common = zipf_frequency(noun, "en") >= _LEAST_FREQUENCY
        is_fit = all(synsets[meaning].is_fit for meaning in meanings)
        is_unfit = noun in _UNFIT_NOUNS or not noun.isalpha() or not is_fit
        if noun in everyday or not is_common or is_unfit:
            continue
        if synset.category in _CONCRETE and noun in synset.lemmas:
            kind = _nearest(first, synsets, everyday)
            if kind:
                yield noun, kind


def _nearest(start: str, synsets: dict[str, _Synset], everyday: set[str]) -> str:
    """Return the everyday noun nearest above a meaning, breadth first; "" without one."""
    waiting, seen = [start], set()
    while waiting:
        key = waiting.pop(0)
        if key in seen:
            continue
        seen.add(key)
        synset = synsets[key]
        names = synset.lemmas if key == start else synset.lemmas[:1]
        for name in names:
            if name in everyday and name not in _AMBIGUOUS:
                return name
        if synset.lemmas[0] in _ROOTS:
            return _ROOTS[synset.lemmas[0]]
        waiting += synset.hypernyms
    return ""


def _synsets(file: Path) -> Iterator[tuple[str, _Synset]]:
    """Parse data.noun (wndb(5)): names keep their capitals, so that proper nouns fall out."""
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("  "):
            continue
        facts, _, gloss = line.partition(" | ")
        fields = facts.split()
        count = int(fields[3], 16)
        pointers = fields[5 + 2 * count :]
        lemmas = [fields[4 + 2 * index].replace("_", " ") for index in range(count)]
        hypernyms = [pointers[i + 1] for i in range(0, len(pointers), 4) if pointers[i] == "@"]
        category = -1 if "@i" in pointers else int(fields[1])  # an instance is a proper noun
        yield fields[0], _Synset(category, lemmas, hypernyms, not _UNFIT.search(gloss))


def _meanings(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Parse index.noun: each noun with its synsets, the most frequent meaning first."""
    for line in file.read_text("utf-8").splitlines():
        if not line.startswith("  "):
            fields = line.split()
            yield fields[0].replace("_", " "), fields[6 + int(fields[3]) :]


if __name__ == "__main__":
    main(sys.argv[1:])
