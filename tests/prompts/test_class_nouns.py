"""What everyday nouns are learnt as: on sprite32 one of its class nouns, elsewhere any noun."""

from __future__ import annotations

import pytest

from modelsheet.errors import InvalidClassNoun
from modelsheet.prompts import everyday_nouns
from modelsheet.prompts.class_nouns import (
    GENERAL_NOUNS,
    known_class_nouns,
    match_class_noun,
    require_class_noun,
)

KNOWN = frozenset(known_class_nouns("sprite32"))
# Drawn often; each in English and Russian.
EVERYDAY = """
fox лиса|girl девочка|boy мальчик|robot робот|princess принцесса|ninja ниндзя|pirate пират
soldier солдат|king король|child ребёнок|bunny зайчик|rabbit кролик|penguin пингвин|duck утка
alien инопланетянин|astronaut космонавт|mouse мышь|dog собака|skeleton скелет|fairy фея|horse лошадь
person человек|hero герой|thief вор|cow корова|pig свинья|chicken курица|tree дерево|knight рыцарь
wizard волшебник|witch ведьма|dragon дракон|monster чудовище|bear медведь|lion лев|owl сова
unicorn единорог|dinosaur динозавр|mermaid русалка|doctor врач|grandmother бабушка|car машина
house дом|sword меч|flower цветок|cake торт|guitar гитара|cat кошка|teapot чайник|spaceship ракета
"""
PAIRS = [pair.split() for pair in EVERYDAY.strip().replace("\n", "|").split("|")]


@pytest.mark.parametrize("noun", [noun for pair in PAIRS for noun in pair])
def test_an_everyday_noun_is_learnt_as_one_of_the_list(noun: str) -> None:
    match = match_class_noun(noun, "sprite32")

    assert match.class_noun in KNOWN
    assert match.meant == ""
    assert set(match.alternatives) <= KNOWN


def test_each_noun_of_the_table_leads_to_the_list() -> None:
    table = everyday_nouns._table()
    nouns = everyday_nouns.everyday_nouns()

    assert {noun for row in table.values() for noun in row.nearest} <= KNOWN
    assert sum(noun.isascii() for noun in nouns) > 2000
    assert sum(not noun.isascii() for noun in nouns) > 2000


def test_no_noun_stands_in_the_table_twice() -> None:
    text = (everyday_nouns._TABLE).read_text("utf-8")
    rows = [line for line in text.splitlines() if "=" in line]
    nouns = [noun.strip() for row in rows for noun in row.replace("=", ",").split(",")]

    assert sorted(noun for noun in set(nouns) if nouns.count(noun) > 1) == []


def test_less_common_nouns_lead_there_by_their_kind() -> None:
    kinds = everyday_nouns._kinds()

    assert set(kinds.values()) <= set(everyday_nouns.everyday_nouns())
    assert match_class_noun("osprey", "sprite32").class_noun == "raven"
    assert match_class_noun("translator", "sprite32").class_noun == "human man"


@pytest.mark.parametrize(
    ("phrase", "noun"),
    {
        "Fox": "jackal",
        "the fox": "jackal",
        "foxes": "jackal",
        "fairies": "spriggan woman",
        "wolves": "wolf",
        "mice": "rat",
        "little fox girl": "human woman",
        "a girl with a big sword": "human woman",
        "king of pirates": "human man",
        "golden retriever": "jackal",
        "female orc": "orc woman",
        "lady knight": "human woman",
        "owlbear": "black bear",
        "snowboarder": "human man",
        "лисы": "jackal",
        "лису": "jackal",
        "щенки": "jackal",
        "маленькая девочка": "human woman",
        "девочка с мечом": "human woman",
        "кот в сапогах": "cat",
        "рыцарь смерти": "human man",
        "космонавтов": "human man",
        "ЁЖИК": "quokka",
    }.items(),
)
def test_phrases_plurals_and_cases(phrase: str, noun: str) -> None:
    match = match_class_noun(phrase, "sprite32")

    assert (match.class_noun, match.meant) == (noun, "")


@pytest.mark.parametrize(
    ("typed", "meant"),
    {"gril": "girl", "squirel": "squirrel", "wizzard": "wizard", "prinses": "princess"}.items(),
)
def test_a_misspelt_noun_is_taken_for_its_neighbour_and_says_so(typed: str, meant: str) -> None:
    match = match_class_noun(typed, "sprite32")

    assert match.meant == meant
    assert match.class_noun == match_class_noun(meant, "sprite32").class_noun


@pytest.mark.parametrize("phrase", ["elf woman", "old elf woman", "Black Cat", "old florb"])
def test_a_phrase_that_ends_in_a_noun_of_the_list_stays_as_it_is(phrase: str) -> None:
    match = match_class_noun(phrase, "sprite32", own=["florb"])

    assert match.class_noun == phrase.lower()


@pytest.mark.parametrize("typed", ["zorbflax", "R2D2", "???", "щщщщ"])
def test_what_is_in_no_list_is_offered_general_nouns(typed: str) -> None:
    assert set(GENERAL_NOUNS) <= KNOWN
    assert match_class_noun(typed, "sprite32").alternatives == list(GENERAL_NOUNS)
    with pytest.raises(InvalidClassNoun, match="take a general one: human woman, human man"):
        require_class_noun(typed, "sprite32", "sprite32")


@pytest.mark.parametrize("family", ["sprite32", "sd15", "sdxl"])
def test_an_empty_noun_is_asked_for(family: str) -> None:
    with pytest.raises(InvalidClassNoun, match="Say in a word or two"):
        require_class_noun(" ", family, family)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("typed", "noun"),
    {
        "Fox": "fox",
        "zorbflax": "zorbflax",
        "little fox girl": "little fox girl",
        "лисичка": "fox",
        "девочка с мечом": "girl",
        "зюка": "зюка",
    }.items(),
)
def test_sd_learns_any_noun_and_russian_ones_in_english(typed: str, noun: str) -> None:
    assert match_class_noun(typed, "sd15").class_noun == noun
