"""Problem details, ping, blobs, and the empty response."""

from __future__ import annotations

from typing import Literal

from modelsheet.api.types import Count, Model, Sha256


class FieldError(Model):
    """A faulty field of a request: its JSON pointer, and the fault as code and words."""

    pointer: str
    code: str
    message: str


class Problem(Model):
    """RFC 9457 problem details; `detail` is the sentence for the user."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    retryable: bool = False
    errors: list[FieldError] = []
    request_id: str = ""


class Ping(Model):
    """Sign of life of a service; `proof` shows that it knows the caller's token."""

    ok: Literal[True] = True
    proof: str = ""


class BlobView(Model):
    """A stored blob; `size` in bytes."""

    sha256: Sha256
    size: Count


class Empty(Model):
    """A response without content."""
