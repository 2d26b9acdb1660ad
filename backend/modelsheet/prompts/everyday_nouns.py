"""Everyday nouns, English and Russian, and the class nouns of sprite32 nearest to them. No torch.

everyday_nouns.ini is written by hand; noun_kinds.txt adds English nouns that are kinds of those.
"""

from __future__ import annotations

import configparser
import difflib
import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_TABLE = Path(__file__).parent / "everyday_nouns.ini"
_KINDS = Path(__file__).parent / "noun_kinds.txt"
_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
# What follows these words says more about the noun before them: "cat in boots".
_PREPOSITIONS = frozenset(
    (
        "with",
        "without",
        "in",
        "on",
        "of",
        "from",
        "at",
        "by",
        "for",
        "and",
        "or",
        "who",
        "that",
        "which",
        "has",
        "riding",
        "holding",
        "wearing",
        "с",
        "со",
        "в",
        "во",
        "на",
        "из",
        "от",
        "без",
        "для",
        "у",
        "под",
        "над",
        "и",
        "или",
        "который",
        "которая",
        "которое",
        "верхом",
    )
)
_IRREGULAR = {
    "men": "man",
    "women": "woman",
    "children": "child",
    "mice": "mouse",
    "geese": "goose",
    "feet": "foot",
    "teeth": "tooth",
    "oxen": "ox",
    "дети": "ребенок",
    "люди": "человек",
    "псы": "пес",
    "львы": "лев",
    "ежи": "еж",
}
_ENGLISH_PLURALS = (
    ("men", "man"),
    ("ies", "y"),
    ("ves", "f"),
    ("ves", "fe"),
    ("es", ""),
    ("s", ""),
)
_RUSSIAN_ENDING = re.compile(r"(?:ами|ями|ов|ев|ей|ам|ям|ах|ях|ом|ем|ой|ью|[аеиоуыьюяй])$")
_FLEETING = re.compile(r"(?<=..)[ое](?=[клнц]$)")  # щенок, щенки
_LEAST_STEM = 3  # letters
_DOER = re.compile(r"(.{3,}?)(?:er|or|ist)s?")
_SIMILAR = 0.8  # of difflib's ratio, for a misspelt word
_LEAST_MISSPELT = 4  # letters; shorter words have too many neighbours


@dataclass(frozen=True)
class EverydayNoun:
    """A noun by its first English synonym, and the class nouns of sprite32 nearest to it."""

    english: str
    nearest: tuple[str, ...]


def everyday_nouns() -> list[str]:
    """List the nouns of the table, English ones first."""
    return sorted(_table(), key=lambda noun: (not noun.isascii(), noun))


def find_everyday_noun(noun: str) -> EverydayNoun | None:
    """Find a noun in lower case, whatever its number and, in Russian, its case."""
    table, kinds = _table(), _kinds()
    for form in singular_forms(noun):
        if form in table:
            return table[form]
        if form in kinds:
            return table[kinds[form]]
    stem = _stem(noun)
    return table.get(_stems().get(stem, "")) if stem else None


def find_misspelt(noun: str, known: Sequence[str]) -> str:
    """Return the noun of the table, or of `known`, that a word was meant to be; "" without one."""
    if len(noun) < _LEAST_MISSPELT:
        return ""
    candidates = [each for each in (*_table(), *known) if each.isascii() == noun.isascii()]
    swapped = {noun[:i] + noun[i + 1] + noun[i] + noun[i + 2 :] for i in range(len(noun) - 1)}
    for each in candidates:
        if each in swapped:
            return each
    candidates = [each for each in candidates if each[0] == noun[0]]  # few mistake the first letter
    near = difflib.get_close_matches(noun, candidates, n=1, cutoff=_SIMILAR)
    return near[0] if near else ""


def find_compound(word: str) -> EverydayNoun | None:
    """Find an English word by the noun that it ends with ("owlbear"), or as a person who does
    something ("snowboarder").
    """
    if not word.isascii() or " " in word:
        return None
    for start in range(2, len(word) - _LEAST_STEM + 1):
        if word[start:] in _table():
            return _table()[word[start:]]
    doer = _DOER.fullmatch(word)
    if doer is not None and any(find_everyday_noun(stem) for stem in (doer[1], f"{doer[1]}e")):
        return _table()["person"]
    return None


def normalize(text: str) -> str:
    """Return the words of a noun phrase in lower case with single spaces, ё as е."""
    return " ".join(_WORD.findall(text.lower().replace("ё", "е").replace("’", "'")))


def head_words(phrase: str) -> list[str]:
    """Return the words of a normalised noun phrase that stand before its first preposition."""
    words = phrase.replace("-", " ").split()
    cut = next((i for i, word in enumerate(words) if word in _PREPOSITIONS), len(words))
    return words[:cut] or words


def head_phrases(phrase: str) -> Iterator[str]:
    """Yield the parts of a normalised noun phrase that can be its noun, the likeliest first.

    An English noun ends its phrase ("little fox girl"), a Russian one comes first in it.
    """
    yield phrase
    words = head_words(phrase)
    places = range(len(words))
    if phrase.isascii():
        yield from (" ".join(words[start:]) for start in places)
    else:
        yield from (" ".join(words[i:j]) for i in places for j in range(len(words), i, -1))


def singular_forms(noun: str) -> Iterator[str]:
    """Yield a noun, then what it can be the English plural of."""
    yield noun
    before, space, last = noun.rpartition(" ")
    if last in _IRREGULAR:
        yield before + space + _IRREGULAR[last]
    for ending, replaced in _ENGLISH_PLURALS:
        if last.endswith(ending) and len(last) - len(ending) >= 2:
            yield before + space + last.removesuffix(ending) + replaced


@functools.cache
def _table() -> Mapping[str, EverydayNoun]:
    """Read the table: normalised nouns of both languages."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.read_string(_TABLE.read_text("utf-8"))
    table: dict[str, EverydayNoun] = {}
    for section in parser.sections():
        nearest = tuple(noun.strip() for noun in section.split(","))
        for english, russian in parser.items(section):
            names = [normalize(name) for name in f"{english},{russian}".split(",")]
            table |= dict.fromkeys(filter(None, names), EverydayNoun(names[0], nearest))
    return table


@functools.cache
def _kinds() -> Mapping[str, str]:
    """Read the nouns that are kinds of the table's."""
    lines = _KINDS.read_text("utf-8").splitlines()
    pairs = (line.split(": ") for line in lines if not line.startswith("#"))
    return {noun: kind for kind, nouns in pairs for noun in nouns.split()}


@functools.cache
def _stems() -> Mapping[str, str]:
    """Index the Russian nouns of the table by stem; of two with one stem the first is kept."""
    stems: dict[str, str] = {}
    for noun in _table():
        stems.setdefault(_stem(noun), noun)
    stems.pop("", None)
    return stems


def _stem(noun: str) -> str:
    """Return a Russian noun without its ending and its fleeting vowel; "" for other nouns."""
    if noun.isascii():
        return ""
    before, space, last = noun.rpartition(" ")
    stem = _FLEETING.sub("", _RUSSIAN_ENDING.sub("", _IRREGULAR.get(last, last)))
    return before + space + stem if len(stem) >= _LEAST_STEM else ""
