"""Judge a request by its head, by the rules of the Flask application, before its body comes."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from modelsheet.errors import ModelsheetError
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.flask_views import check_body_headers, read_arguments, response_of
from modelsheet.service.http.problems import InvalidFields, Refused
from modelsheet.service.http.routes.operation import Operation

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Operations = Mapping[str, Operation]
_REFUSALS = (Refused, HTTPException, InvalidFields, ModelsheetError)


@dataclass(frozen=True)
class Head:
    """A judged head: a `refusal`, or the operation asked for; `caller` is None without a token.

    `arguments` are those of an operation that waits.
    """

    caller: Caller | None = None
    refusal: Response | None = None
    operation: Operation | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


def check_head(app: Flask, environ: WSGIEnvironment, operations: Operations) -> Head:
    """Judge a request whose body was not received yet."""
    with app.request_context(environ):
        try:
            operation = _checked_operation(app, operations)
            if operation is None or not operation.waits:
                return Head(g.get("caller"), operation=operation)
            arguments = read_arguments(operation, request.view_args)
            return Head(g.get("caller"), operation=operation, arguments=arguments)
        except _REFUSALS as error:
            return Head(g.get("caller"), _refusal(app, error))


def answer_later(
    app: Flask, environ: WSGIEnvironment, operations: Operations, result: object
) -> Response:
    """Return the answer of an operation that has waited, unless it is refused by now."""
    with app.request_context(environ):
        try:
            operation = _checked_operation(app, operations)
            assert operation is not None
            return app.process_response(response_of(operation, result))
        except _REFUSALS as error:
            return _refusal(app, error)


def refuse(app: Flask, environ: WSGIEnvironment, error: Exception) -> Response:
    """Return the answer to an error that a view did not raise."""
    with app.request_context(environ):
        with contextlib.suppress(*_REFUSALS):
            app.preprocess_request()  # gives the request its id
        return _refusal(app, error)


def _checked_operation(app: Flask, operations: Operations) -> Operation | None:
    app.preprocess_request()
    if request.routing_exception is not None:
        raise request.routing_exception
    operation = operations.get(request.endpoint or "")
    if operation is not None:
        check_body_headers(operation)
    return operation


def _refusal(app: Flask, error: Exception) -> Response:
    return app.process_response(app.make_response(app.handle_user_exception(error)))
