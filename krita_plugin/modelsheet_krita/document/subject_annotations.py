"""Annotations of a .kra document: which subjects it uses, and whole subjects in chunks of 1 MiB.

The chunks are that short so that Krita never waits long for one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

CHUNK_BYTES = 1 << 20
NOTE = "modelsheet/subjects"
NOTE_DESCRIPTION = "Modelsheet: the subjects painted here"
CHUNK_DESCRIPTION = "Modelsheet: a subject, in pieces"
_KEY = re.compile(r"modelsheet/subject/([0-9a-f-]{1,64})/(\d{1,5})-of-(\d{1,5})")


@dataclass(frozen=True)
class NotedSubject:
    """Subject that a document uses, as noted in the document."""

    id: str
    name: str
    class_noun: str


def encode_note(subjects: Sequence[NotedSubject]) -> bytes:
    """Encode the note of a document's subjects as JSON."""
    entries = [asdict(one) for one in subjects]
    return json.dumps({"version": 1, "subjects": entries}, ensure_ascii=False).encode()


def decode_note(content: bytes) -> list[NotedSubject]:
    """Decode the note; return nothing if it is damaged."""
    try:
        entries = json.loads(content)["subjects"]
        return [
            NotedSubject(*(str(entry[key]) for key in ("id", "name", "class_noun")))
            for entry in entries
        ]
    except (ValueError, KeyError, TypeError):
        return []


def chunk_keys(subject_id: str, size: int) -> list[str]:
    """Return the annotation keys for the chunks of `size` bytes, in order."""
    count = max(1, -(-size // CHUNK_BYTES))
    return [f"modelsheet/subject/{subject_id}/{number}-of-{count}" for number in range(count)]


def subject_id_of(key: str) -> str:
    """Return the id of the subject that an annotation is a chunk of, or an empty string."""
    found = _KEY.fullmatch(key)
    return found[1] if found else ""


def complete_subjects(annotations: Iterable[str]) -> dict[str, list[str]]:
    """Map each embedded subject to its keys in order; one that lacks a chunk is left out."""
    chunks: dict[tuple[str, int], dict[int, str]] = {}
    for key in annotations:
        found = _KEY.fullmatch(key)
        if found:
            subject_id, number, count = found[1], int(found[2]), int(found[3])
            chunks.setdefault((subject_id, count), {})[number] = key
    return {
        subject_id: [known[number] for number in range(count)]
        for (subject_id, count), known in chunks.items()
        if sorted(known) == [*range(count)]
    }
