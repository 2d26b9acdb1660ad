"""All that the docker says is in the Russian translation, and nothing is said past it."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.paths import PLUGIN
from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.python_source import parsed

from modelsheet_krita import i18n  # isort: skip

SOURCES = sorted(path for path in PLUGIN.rglob("*.py") if "_vendor" not in path.parts)
RUSSIAN = json.loads((PLUGIN / "translations" / "ru.json").read_text(encoding="utf-8"))
# What the backend says while it works; jobs.py translates it when it comes.
PHASES = (
    "asking the hub",
    "learning",
    "loading the base model",
    "looking at the pictures",
    "painting",
    "painting class pictures",
    "preparing the pictures",
    "saving",
    "waiting",
)
# A sentence or a title: what an artist reads has a capital and a space or a full stop.
LOOKS_SAID = re.compile(r"^[A-Z][a-z]+('?,? .*\w.*|…|\.)$", re.DOTALL)
# Read by machines, or in the report for developers.
NOT_SAID = frozenset({"diagnostics.py"})
UNTRANSLATED = frozenset({"Euler a", "Stable Diffusion 1.5", "Stable Diffusion XL"})


@pytest.fixture(autouse=True)
def english() -> Iterator[None]:
    yield
    i18n.set_language("en")


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in SOURCES:
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == name:
                yield path, node


def keys() -> dict[str, str]:
    """Each text that is translated, by the file that says it."""
    found = {}
    for name, place in (("tr", 0), ("trn", 1)):
        for path, call in calls(name):
            argument = call.args[place]
            if isinstance(argument, ast.Constant):
                found[str(argument.value)] = path.name
    return found


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_has_a_russian_one() -> None:
    assert sorted(set(keys()) - set(RUSSIAN)) == []


def test_no_translation_is_left_over() -> None:
    assert sorted(set(RUSSIAN) - set(keys()) - set(PHASES)) == []


def test_the_backends_phases_are_translated() -> None:
    assert set(PHASES) <= set(RUSSIAN)


@pytest.mark.parametrize("text", sorted(RUSSIAN))
def test_translations_fill_in_the_same(text: str) -> None:
    forms = RUSSIAN[text] if isinstance(RUSSIAN[text], list) else [RUSSIAN[text]]

    assert len(forms) in (1, 3)
    for form in forms:
        assert placeholders(form) <= placeholders(text)
        assert re.search("[а-яё]", form, re.IGNORECASE) or form == text


def test_counting_texts_have_three_forms() -> None:
    counted = {str(ast.literal_eval(call.args[1])) for _, call in calls("trn")}

    assert {text for text in counted if not isinstance(RUSSIAN[text], list)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_is_said_untranslated(path: Path) -> None:
    if path.name in NOT_SAID:
        return
    tree = parsed(path)
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("tr", "trn")
        for part in ast.walk(node)
    }
    docstrings = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }

    said = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in inside | docstrings
        and LOOKS_SAID.match(node.value)
    ]

    assert set(said) - UNTRANSLATED == set()


@pytest.mark.parametrize(
    ("count", "text"),
    [(1, "1 картинку"), (2, "2 картинки"), (5, "5 картинок"), (11, "11 картинок")],
)
def test_russian_counts_as_russians_do(count: int, text: str) -> None:
    i18n.set_language("ru_RU.UTF-8")

    said = i18n.trn("Apply {count} Picture", "Apply {count} Pictures", count)

    assert text in said


@pytest.mark.parametrize(
    ("environment", "locale", "language"),
    [
        ({"LANGUAGE": "ru:en"}, "C", "ru"),
        ({}, "ru_RU", "ru"),
        ({"LANGUAGE": ""}, "en_US", "en"),
        ({}, "C", "c"),
    ],
)
def test_krita_s_own_choice_of_language_comes_first(
    environment: dict[str, str], locale: str, language: str
) -> None:
    assert i18n.detect_language(environment, locale) == language
