"""Problem details (RFC 9457): the body of every error."""

from __future__ import annotations

from modelsheet.api.types import ApiModel


class FieldError(ApiModel):
    """A faulty field of a request: its JSON pointer, and the fault as code and words."""

    pointer: str
    code: str
    message: str


class Problem(ApiModel):
    """RFC 9457 problem details; `detail` is the sentence for the user."""

    type: str
    title: str
    status: int
    code: str
    detail: str = ""
    retryable: bool = False
    errors: list[FieldError] = []
    request_id: str = ""
