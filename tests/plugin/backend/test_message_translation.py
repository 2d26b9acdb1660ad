"""Each sentence of the backend's that an artist can meet has a Russian one, and is recognised."""

from __future__ import annotations

import ast
import json
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsheet_krita.backend import api_responses, json_codec, message_translation
from tests.paths import ROOT
from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.python_source import parsed

from modelsheet_krita import i18n  # isort: skip

BACKEND = ROOT / "backend" / "modelsheet"
SETUP = ROOT / "backend" / "modelsheet_setup"
KNOWN = ROOT / "krita_plugin/modelsheet_krita/translations/ru.backend.json"
RUSSIAN: dict[str, str] = json.loads(KNOWN.read_text(encoding="utf-8"))
# The command line, what starts the service, and what measures: their readers sit at a terminal.
AT_A_TERMINAL = """
__main__
base_models/diffusers_folder base_models/single_file base_models/user_models
diagnostics/bundle diagnostics/doctor
files/zip_archive
imaging/openraster imaging/palettes imaging/png_metadata
prompts/image_requests
service/auth/tokens service/executors/ray/driver service/executors/ray/executor
service/http/openapi service/http/serve service/queue/schema service/queue/job_table settings
"""
TERMINAL_PACKAGES = ("cli/", "client/", "krita_setup/")
FOR_PROGRAMMERS = frozenset({"ValueError", "TypeError", "RuntimeError", "KeyError", "LookupError"})


@pytest.fixture(autouse=True)
def russian() -> Iterator[None]:
    i18n.set_language("ru")
    yield
    i18n.set_language("en")


def rooms() -> list[Path]:
    found, others = [], AT_A_TERMINAL.split()
    for path in sorted(BACKEND.rglob("*.py")):
        name = path.relative_to(BACKEND).with_suffix("").as_posix()
        if name not in others and not name.startswith(TERMINAL_PACKAGES):
            found.append(path)
    return found + [path for path in sorted(SETUP.glob("*.py")) if path.stem != "command_line"]


def template(node: ast.AST) -> str:
    """A text with {0}, {1}, … for what is filled in; nothing for other nodes."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return escaped(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    numbers = iter(range(len(node.values)))
    return "".join(
        escaped(str(part.value)) if isinstance(part, ast.Constant) else f"{{{next(numbers)}}}"
        for part in node.values
    )


def escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")


def texts(path: Path) -> tuple[set[str], set[str]]:
    """Return the sentences in a file that artists read, and all texts in it."""
    tree = parsed(path)
    silent = {id(part) for node in ast.walk(tree) for part in _silent(node)}
    found, every = set(), set()
    for node in ast.walk(tree):
        said = template(node)
        every.add(said)
        if id(node) not in silent and re.search(r"\w \w.*[.?…]\s*$", said, re.DOTALL):
            found.add(said)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            raised = ast.unparse(node.exc.func)
            if raised not in FOR_PROGRAMMERS:
                said = {template(each) for each in node.exc.args}
                found |= {text for text in said if re.match(r"[A-Z{].* ", text)}
    return found, every


def _silent(node: ast.AST) -> Iterator[ast.AST]:
    """Yield nodes that no artist reads: docstrings, logs, assertions, pieces of a larger text."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        yield node.value
    elif isinstance(node, ast.JoinedStr):
        yield from node.values
    elif isinstance(node, ast.Assert) or _is_log(node) or _is_for_programmers(node):
        yield from ast.walk(node)


def _is_log(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[0].endswith("logger")


def _is_for_programmers(node: ast.AST) -> bool:
    is_call = isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    return is_call and ast.unparse(node.exc.func) in FOR_PROGRAMMERS  # type: ignore[union-attr]


def fields(text: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]


@pytest.mark.parametrize(
    "path", rooms(), ids=lambda path: path.relative_to(BACKEND.parent).as_posix()
)
def test_every_sentence_has_a_russian_one(path: Path) -> None:
    assert sorted(texts(path)[0] - set(RUSSIAN)) == []


def test_no_translation_is_left_over() -> None:
    said = {text for path in rooms() for text in texts(path)[1]}

    assert sorted(set(RUSSIAN) - said) == []


@pytest.mark.parametrize("sentence", sorted(RUSSIAN))
def test_a_sentence_is_recognised_with_what_is_filled_in(sentence: str) -> None:
    values = [f"‹{number}›" for number in range(len(fields(sentence)))]

    said = message_translation.translate(sentence.format(*values))

    assert said == RUSSIAN[sentence].format(*values)
    assert sorted(fields(RUSSIAN[sentence])) == sorted(fields(sentence))
    assert re.search("[а-я]", said)


def test_what_is_filled_in_is_translated_too() -> None:
    said = message_translation.translate(
        "That is not possible for a job that is done: it is over; submit a new one."
    )

    assert said == "Для задания в состоянии «done» это невозможно: оно закончено; начните новое."


def test_the_backends_answers_arrive_translated() -> None:
    answer = {"title": "Gone", "status": 404, "code": "not-found", "detail": "There is no blob 7."}
    answer["detail"] = "@fox is not known. Did you mean @box?"

    assert (
        json_codec.decode(api_responses.Problem, answer).detail
        == "@fox неизвестен. Может быть, @box?"
    )
    error = {"code": "oom", "sentence": "Something newer."}
    assert json_codec.decode(api_responses.JobError, error).sentence == "Something newer."
    result = {
        "kind": "generate",
        "warnings": ["The file changes the text encoder alone, not the UNet."],
    }
    (warning,) = json_codec.decode(api_responses.JobResult, result).warnings
    assert warning == "Файл меняет только текстовый кодировщик, но не UNet."
