"""Problem details, ping, blobs, and the empty answer."""

from __future__ import annotations

from typing import Literal

from modelsheet.api.types import Count, Model, Sha256


class FieldError(Model):
    pointer: str
    code: str
    message: str


class Problem(Model):
    """RFC 9457 problem details; `detail` is the sentence for the artist."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    retryable: bool = False
    errors: list[FieldError] = []
    request_id: str = ""


class Ping(Model):
    ok: Literal[True] = True
    proof: str = ""


class BlobView(Model):
    sha256: Sha256
    size: Count


class Empty(Model):
    """An answer with nothing to say."""
