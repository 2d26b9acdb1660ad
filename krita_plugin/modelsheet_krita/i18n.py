"""The plugin's words in the artist's language: English in the code, others in translations/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("translations")
_known: dict[str, Any] = {}
_spoken = ["en"]


def use(language: str) -> None:
    """Speak `language`, such as ru or ru_RU, from now on; English where it is not known."""
    _known.clear()
    _spoken[0] = _code(language)
    path = FOLDER / f"{spoken()}.json"
    if path.is_file():
        _known.update(json.loads(path.read_text(encoding="utf-8")))


def spoken() -> str:
    """The code of the language in use, such as ru."""
    return _spoken[0]


def language(environment: Mapping[str, str], locale: str) -> str:
    """Say which language Krita speaks: its own choice is put into LANGUAGE, before the system's."""
    chosen = environment.get("LANGUAGE", "").split(":")[0]
    return _code(chosen or locale)


def tr(text: str, **values: object) -> str:
    """Translate `text` and fill its {names} with `values`."""
    said: str = _known.get(text, text)
    return said.format(**values) if values else said


def trn(one: str, many: str, count: int, **values: object) -> str:
    """Translate what is said of {count} things; `many` is the key of the translation."""
    forms = _known.get(many)
    said = (one if count == 1 else many) if forms is None else forms[_form(count)]
    return str(said).format(count=count, **values)


def _code(language: str) -> str:
    return language.replace("-", "_").split("_")[0].split(".")[0].lower()


def _form(count: int) -> int:
    """Which of the three forms of Russian and its relatives goes with a number."""
    if count % 10 == 1 and count % 100 != 11:
        return 0
    return 1 if 2 <= count % 10 <= 4 and not 12 <= count % 100 <= 14 else 2
