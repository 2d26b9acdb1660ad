"""Answer every error with RFC 9457 problem details, without echoing the request."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from flask import Flask, Response, g
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from modelsheet.api.problems import FieldError, Problem
from modelsheet.api.validation_messages import validation_message
from modelsheet.errors import ModelsheetError
from modelsheet.service.queue.job import PRIORITIES

MEDIA_TYPE = "application/problem+json"
_STATUS = {
    "invalid-request": 422,
    "invalid-images": 422,
    "invalid-identifier": 422,
    "invalid-class-noun": 422,
    "unsafe-model": 422,
    "learning-diverged": 422,
    "not-found": 404,
    "model-missing": 404,
    "conflict-state": 409,
    "idempotency-conflict": 409,
    "cancelled": 409,
    "busy": 429,
    "oom": 507,
    "disk-full": 507,
    "download-failed": 503,
    "worker-crashed": 503,
    "backend-unreachable": 503,
}
_CODE_OF_STATUS = {
    400: "bad-request",
    401: "unauthorized",
    403: "forbidden-origin",
    404: "not-found",
    405: "method-not-allowed",
    413: "too-large",
    415: "unsupported-media",
    422: "validation",
    503: "shutting-down",
    507: "disk-full",
}
_SENTENCES = {
    400: "The request is not addressed to this service by a name it knows, or is malformed.",
    404: "There is nothing at this address.",
    405: "This address does not know that method.",
    413: "What was sent is larger than the service takes; see the limits in /v1/capabilities.",
    500: "The service met an error it did not expect; its log has the details.",
}


class Refused(Exception):
    """A request refused before its handler runs, with the status and sentence of the answer."""

    def __init__(
        self, status: int, sentence: str, headers: dict[str, str] | None = None, code: str = ""
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.code = code or _CODE_OF_STATUS[status]
        self.headers = headers or {}


class InvalidFields(Exception):
    """A request whose body or query does not validate. A ValidationError elsewhere is our fault:
    status 500.
    """

    def __init__(self, error: ValidationError) -> None:
        super().__init__(str(error))
        self.error = error


def problem(status: int, code: str, sentence: str, **more: Any) -> Response:
    """Build the response for a problem; `more` are other fields of it."""
    body = _problem(status, code, sentence, request_id=g.get("request_id", ""), **more)
    response = Response(body.model_dump_json(), status=status, content_type=MEDIA_TYPE)
    if status == 429:
        response.headers["Retry-After"] = "10"
    return response


def _problem(status: int, code: str, sentence: str, **more: Any) -> Problem:
    return Problem(
        type=f"urn:modelsheet:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        code=code,
        detail=sentence,
        **more,
    )


def install_problems(app: Flask) -> None:
    """Register the error handlers of the app."""
    app.register_error_handler(ModelsheetError, _from_modelsheet_error)
    app.register_error_handler(Refused, _from_refusal)
    app.register_error_handler(InvalidFields, _from_invalid_fields)
    app.register_error_handler(HTTPException, _from_http)


def _from_modelsheet_error(error: ModelsheetError) -> Response:
    status = _STATUS.get(error.code, 500)
    return problem(status, error.code, str(error), retryable=error.retryable)


def _from_refusal(error: Refused) -> Response:
    response = problem(error.status, error.code, str(error))
    response.headers.extend(error.headers)
    return response


def _from_invalid_fields(invalid: InvalidFields) -> Response:
    details = invalid.error.errors(include_url=False, include_input=False)
    errors = [
        FieldError(
            pointer=_pointer(item["loc"]),
            code=item["type"],
            message=validation_message(item),
        )
        for item in details
    ]
    first = errors[0]
    sentence = f"The request cannot be carried out: {first.pointer or 'in it,'} {first.message}."
    return problem(422, "validation", sentence, errors=errors)


def _pointer(location: tuple[int | str, ...]) -> str:
    """Return the JSON pointer into the body, without the kind that pydantic puts first."""
    parts = location[1:] if location[:1] and location[0] in PRIORITIES else location
    return "".join(f"/{part}" for part in parts)


def problem_of_status(status: int) -> Problem:
    """Return the problem of a bare HTTP status."""
    code = _CODE_OF_STATUS.get(status, "internal" if status >= 500 else "bad-request")
    return _problem(status, code, _SENTENCES.get(status, f"{HTTPStatus(status).phrase}."))


def refusal_of_status(status: int, headers: dict[str, str] | None = None) -> Refused:
    """Return the refusal with the sentence of a bare HTTP status."""
    return Refused(status, problem_of_status(status).detail, headers)


def _from_http(error: HTTPException) -> Response:
    """Answer errors of Flask, among them the 500 of an uncaught exception, whose trace it logs."""
    answer = problem_of_status(error.code or 500)
    response = problem(answer.status, answer.code, answer.detail)
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response
