"""Encode and decode the API's dataclasses as JSON.

Unknown fields of a response are ignored, and sentences for the artist are translated.
"""

from __future__ import annotations

import dataclasses
import functools
import typing
from typing import Any, TypeVar

from .message_translation import Message, translate

T = TypeVar("T")


def encode(request: Any) -> dict[str, Any]:
    """Convert a request into a dict for JSON."""
    return request if isinstance(request, dict) else dataclasses.asdict(request)


def decode(kind: type[T], value: Any) -> T:
    """Build a `kind` from parsed JSON. Raises KeyError, TypeError or ValueError."""
    return typing.cast(T, _decoded(kind, value))


def _decoded(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind is Message:
        return translate(value)
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        return tuple(_decoded(item, one) for one in value)
    if typing.get_origin(kind) is dict:
        return value
    if not isinstance(kind, type):  # X | None
        return _decoded(typing.get_args(kind)[0], value)
    if not dataclasses.is_dataclass(kind):
        return value
    if not isinstance(value, dict):
        raise TypeError(f"expected {kind.__name__}, not {type(value).__name__}")
    return kind(
        **{name: _decoded(hint, value[name]) for name, hint in _hints(kind) if name in value}
    )


@functools.cache
def _hints(kind: type) -> tuple[tuple[str, Any], ...]:
    return tuple(typing.get_type_hints(kind).items())
