"""How a subject lies in a document: in pieces so short that Krita need not wait for one."""

from __future__ import annotations

import re
from collections.abc import Iterable

PIECE = 1 << 20  # bytes
_KEY = re.compile(r"modelsheet/subject/([0-9a-f-]{1,64})/(\d{1,5})-of-(\d{1,5})")


def keys(subject_id: str, size: int) -> list[str]:
    """Name the pieces of `size` bytes, in order."""
    count = max(1, -(-size // PIECE))
    return [f"modelsheet/subject/{subject_id}/{number}-of-{count}" for number in range(count)]


def subject_of(key: str) -> str:
    """The id of the subject that an annotation is a piece of, empty for any other annotation."""
    found = _KEY.fullmatch(key)
    return found[1] if found else ""


def whole(annotations: Iterable[str]) -> dict[str, list[str]]:
    """The pieces of each subject, in order; one that lacks a piece is left out."""
    pieces: dict[tuple[str, int], dict[int, str]] = {}
    for key in annotations:
        found = _KEY.fullmatch(key)
        if found:
            subject_id, number, count = found[1], int(found[2]), int(found[3])
            pieces.setdefault((subject_id, count), {})[number] = key
    return {
        subject_id: [known[number] for number in range(count)]
        for (subject_id, count), known in pieces.items()
        if sorted(known) == [*range(count)]
    }
