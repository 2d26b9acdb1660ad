"""Plain words for pydantic's validation errors, without the rejected values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SENTENCES: Mapping[str, str] = {
    "greater_than_equal": "must be {ge} or more",
    "greater_than": "must be more than {gt}",
    "less_than_equal": "must be {le} or less",
    "less_than": "must be less than {lt}",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number, with a point before its fraction",
    "float_parsing": "must be a number, with a point before its fraction",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be text in UTF-8",
    "string_too_long": "is too long: write at most {max_length} characters",
    "string_too_short": "must not be empty",
    "too_long": "has too many entries: give at most {max_length}",
    "too_short": "has too few entries: give at least {min_length}",
    "literal_error": "must be one of {expected}",
    "extra_forbidden": "is not known here",
    "missing": "is missing",
}
_PATTERN = "string_pattern_mismatch"
# By the pattern in api/types.py and api/animate.py; users never type fields of the other patterns.
_FORMS: Mapping[str, str] = {
    r"^[a-z0-9][a-z0-9._-]{0,39}$": "must be small letters and digits, with . _ - in between",
    r"^[a-z0-9][a-z0-9-]{0,39}$": "must be small letters and digits, with - in between",
    r"^#[0-9a-f]{6}$": "must be a colour like #ff8000",
}


def validation_message(error: Mapping[str, Any]) -> str:
    """Return the message of one of pydantic's error details, to stand after the field's name."""
    if error["type"] == _PATTERN:
        return _FORMS.get(error["ctx"]["pattern"], "does not have the right form")
    known = _SENTENCES.get(error["type"])
    if known is None:
        return str(error["msg"]).removeprefix("Value error, ")
    return known.format(**{name: _number(value) for name, value in error.get("ctx", {}).items()})


def _number(value: Any) -> Any:
    """Return 4294967295 for 4294967295.0, as people write it."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
