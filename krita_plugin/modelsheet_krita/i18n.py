"""Translate the docker's texts: keys are English, translations/ holds the other languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("translations")
_translations: dict[str, Any] = {}
_language = ["en"]


def set_language(language: str) -> None:
    """Translate into `language`, such as ru or ru_RU, from now on; unknown ones stay English."""
    _translations.clear()
    _language[0] = _code(language)
    path = FOLDER / f"{current_language()}.json"
    if path.is_file():
        _translations.update(json.loads(path.read_text(encoding="utf-8")))


def current_language() -> str:
    """Return the code of the language in use, such as ru."""
    return _language[0]


def detect_language(environment: Mapping[str, str], locale: str) -> str:
    """Return Krita's language: its own setting, put into LANGUAGE, before the system's."""
    chosen = environment.get("LANGUAGE", "").split(":")[0]
    return _code(chosen or locale)


def tr(text: str, **values: object) -> str:
    """Translate `text` and fill its {names} with `values`."""
    translated: str = _translations.get(text, text)
    return translated.format(**values) if values else translated


def trn(one: str, many: str, count: int, **values: object) -> str:
    """Translate a text about {count} things; `many` is the key of the translation."""
    forms = _translations.get(many)
    text = (one if count == 1 else many) if forms is None else forms[_plural_form(count)]
    return str(text).format(count=count, **values)


def format_bytes(size: int) -> str:
    """Format a number of bytes in kB, MB or GB, such as "3.2 MB"."""
    if size < 1_000_000:
        return tr("{count} kB", count=max(1, round(size / 1000)))
    if size < 1_000_000_000:
        return tr("{count} MB", count=f"{size / 1e6:.1f}")
    return tr("{count} GB", count=f"{size / 1e9:.1f}")


def _code(language: str) -> str:
    return language.replace("-", "_").split("_")[0].split(".")[0].lower()


def _plural_form(count: int) -> int:
    """Return the index of the plural form, of the three of Russian and its relatives."""
    if count % 10 == 1 and count % 100 != 11:
        return 0
    return 1 if 2 <= count % 10 <= 4 and not 12 <= count % 100 <= 14 else 2
