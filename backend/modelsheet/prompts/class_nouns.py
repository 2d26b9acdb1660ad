"""Class nouns that base models know: a curated list for each family, the user's own, and what an
everyday noun leads to. No torch.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from modelsheet.api.describe_images import ClassNounMatch
from modelsheet.api.types import Family
from modelsheet.base_models.families import is_pixel_art
from modelsheet.errors import InvalidClassNoun
from modelsheet.prompts.everyday_nouns import (
    EverydayNoun,
    find_compound,
    find_everyday_noun,
    find_misspelt,
    head_phrases,
    head_words,
    normalize,
    singular_forms,
)

_LISTS = Path(__file__).parent / "class_nouns.json"
# Offered for what is in no list: a person, an animal, another creature, a thing.
GENERAL_NOUNS = ("human woman", "human man", "bound animal", "bound strange", "misc stone")

_FEMALE = frozenset(
    (
        "female",
        "woman",
        "women",
        "lady",
        "girl",
        "girls",
        "женский",
        "женская",
        "женщина",
        "девушка",
    )
)
_MALE = frozenset(("male", "man", "men", "boy", "boys", "мужской", "мужчина", "парень"))


def known_class_nouns(family: Family, own: Sequence[str] = ()) -> list[str]:
    """Return the curated list of a family, and the nouns that the user added."""
    return list(dict.fromkeys([*_lists()["sprites" if is_pixel_art(family) else "photos"], *own]))


def match_class_noun(typed: str, family: Family, own: Sequence[str] = ()) -> ClassNounMatch:
    """Find the class noun to learn for a noun phrase in English or Russian.

    sprite32 knows its list alone: the nearest noun of it is taken, or, with an empty `class_noun`,
    general nouns are offered. Other base models know any English noun.
    """
    typed = " ".join(typed.split()).lower()
    phrase = normalize(typed)
    if not is_pixel_art(family):
        return _match_any(typed, phrase)
    known = known_class_nouns(family, own)
    sex = _sex_of(phrase)
    ends = [noun for noun in known if typed.endswith(f" {noun}") and noun.endswith(sex)]
    if typed in known or (ends and find_everyday_noun(phrase) is None):
        return ClassNounMatch(class_noun=typed)
    found = _find_part(phrase, known)
    if found is None:
        return ClassNounMatch(alternatives=list(GENERAL_NOUNS) if typed else [])
    return _with_sex(found, sex, known)


def require_class_noun(typed: str, base_model: str, family: Family, own: Sequence[str] = ()) -> str:
    """Return the class noun that is learnt for a noun phrase.

    Raises InvalidClassNoun, with general nouns to choose from, for an empty or unknown one.
    """
    match = match_class_noun(typed, family, own)
    if match.class_noun:
        return match.class_noun
    if not match.alternatives:
        raise InvalidClassNoun("Say in a word or two what the layers show.")
    raise InvalidClassNoun(
        f"{base_model} has nothing near to {typed.strip()!r}. Say it in a more common word, or "
        f"take a general one: {', '.join(match.alternatives)}."
    )


def _match_any(typed: str, phrase: str) -> ClassNounMatch:
    """Keep an English phrase; translate the noun of a Russian one where the table has it."""
    if not typed.isascii():
        for part in head_phrases(phrase):
            everyday = find_everyday_noun(part)
            if everyday is not None:
                return ClassNounMatch(class_noun=everyday.english)
    return ClassNounMatch(class_noun=typed)


def _find_part(phrase: str, known: Sequence[str]) -> ClassNounMatch | None:
    """Match the likeliest part of a phrase: as it is, as a compound, then as misspelt."""
    parts = list(head_phrases(phrase))
    for part in parts:
        match = _match_part(part, known) or _nearest(find_compound(part))
        if match is not None:
            return match
    for part in parts:
        meant = find_misspelt(part, known)
        match = _match_part(meant, known) if meant else None
        if match is not None:
            return match.model_copy(update={"meant": meant})
    return None


def _match_part(part: str, known: Sequence[str]) -> ClassNounMatch | None:
    """Match with the list, with the everyday nouns, then with nouns of the list that end in it."""
    forms = list(singular_forms(part))
    exact = next((form for form in forms if form in known), "")
    if exact:
        return ClassNounMatch(class_noun=exact)
    match = _nearest(find_everyday_noun(part))
    if match is not None:
        return match
    kinds = [noun for noun in known if noun.endswith(tuple(f" {form}" for form in forms))]
    return ClassNounMatch(class_noun=kinds[0], alternatives=kinds[1:4]) if kinds else None


def _nearest(everyday: EverydayNoun | None) -> ClassNounMatch | None:
    if everyday is None:
        return None
    first, *others = everyday.nearest
    return ClassNounMatch(class_noun=first, alternatives=others)


def _sex_of(phrase: str) -> str:
    """Return "woman" or "man" where the phrase says so ("female orc"), else ""."""
    words = set(head_words(phrase))
    return "woman" if words & _FEMALE else "man" if words & _MALE else ""


def _with_sex(match: ClassNounMatch, sex: str, known: Sequence[str]) -> ClassNounMatch:
    """Take the noun of that sex where the list has both, and offer the other."""
    noun = match.class_noun
    wanted = f"{noun.removesuffix(' woman').removesuffix(' man')} {sex}"
    if wanted == noun or wanted not in known:
        return match
    others = [noun, *(each for each in match.alternatives if each != wanted)]
    return match.model_copy(update={"class_noun": wanted, "alternatives": others})


@functools.cache
def _lists() -> Mapping[str, list[str]]:
    lists: dict[str, list[str]] = json.loads(_LISTS.read_text("utf-8"))
    return lists


def own_class_nouns(data_dir: Path) -> list[str]:
    """Read the user's nouns: one a line in class_nouns.txt of the data folder.

    Raises InvalidClassNoun when the file is no UTF-8.
    """
    file = data_dir / "class_nouns.txt"
    try:
        content = file.read_text("utf-8-sig")  # Notepad begins a file with a byte-order mark
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError):
        raise InvalidClassNoun(
            f"{file} cannot be read as text. Save it as UTF-8, one noun a line."
        ) from None
    lines = (" ".join(line.split()).lower() for line in content.splitlines())
    return [line for line in lines if line]
