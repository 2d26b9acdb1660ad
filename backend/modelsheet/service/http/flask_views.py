"""Register the table of operations as Flask views, which validate requests before a handler runs.

Bodies are validated strictly from their raw bytes: a decoded object would lose what JSON can and
cannot say.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, Response, g, request
from pydantic import ValidationError
from werkzeug.datastructures import Headers
from werkzeug.routing import BaseConverter

from modelsheet.api.size_limits import MAX_BODY_BYTES, MAX_JSON_BYTES
from modelsheet.service.http.problems import InvalidFields, Refused, refusal_of_status
from modelsheet.service.http.routes.operation import BYTES, JSON, Operation


class Sha256Converter(BaseConverter):
    """A path part of 64 hexadecimal digits; anything else is answered with 404."""

    regex = "[0-9a-f]{64}"


class ArtistConverter(BaseConverter):
    """A path part in the form of an artist's name."""

    regex = "[a-z0-9][a-z0-9._-]{0,39}"


def install_views(app: Flask, service: object, operations: tuple[Operation, ...]) -> None:
    """Register a view for each operation; methods that no operation declares get 405."""
    app.url_map.converters["sha256"] = Sha256Converter
    app.url_map.converters["artist"] = ArtistConverter
    for operation in operations:
        app.add_url_rule(
            operation.rule,
            endpoint=operation.name,
            view_func=_view(operation, service),
            methods=[operation.method],
            provide_automatic_options=False,
        )


def _view(operation: Operation, service: object) -> Callable[..., Response]:
    def view(**path: object) -> Response:
        check_body_headers(operation)
        arguments = read_arguments(operation, path)
        answer = operation.handle(service, **arguments)
        if operation.waits:  # not behind the ASGI application, which waits without a thread
            answer = asyncio.run(answer)
        return response_of(operation, answer)

    return view


def read_arguments(operation: Operation, path: Mapping[str, object] | None) -> dict[str, Any]:
    """Validate the present request and return the arguments of its operation's handler."""
    arguments: dict[str, Any] = {name: str(value) for name, value in (path or {}).items()}
    if operation.operator_only and not g.caller.is_operator:
        raise Refused(403, "Only who runs the service may do this.", code="forbidden")
    if "caller" in inspect.signature(operation.handle).parameters:
        arguments["caller"] = g.caller
    try:
        _read_query(operation, arguments)
        if operation.takes_bytes:
            arguments["content"] = request.stream
        elif operation.body is not None:
            arguments["body"] = operation.body.validate_json(request.get_data(cache=False))
    except ValidationError as error:
        raise InvalidFields(error) from None
    if operation.takes_key:
        arguments["key"] = _idempotency_key(request.headers)
    return arguments


def response_of(operation: Operation, answer: object) -> Response:
    """Return the response with what an operation's handler returned."""
    if isinstance(answer, Response):
        return answer
    assert operation.output is not None
    assert isinstance(answer, operation.output)
    return Response(answer.model_dump_json(), status=operation.status, content_type=JSON)


def check_body_headers(operation: Operation) -> None:
    """Refuse a body of another media type or, as far as its head says so, of too many bytes."""
    if operation.takes_bytes:
        _require_media(BYTES)
    elif operation.body is not None:
        _require_media(JSON)
        if (request.content_length or 0) > MAX_JSON_BYTES:
            raise Refused(413, f"A request may have at most {MAX_JSON_BYTES} bytes of JSON.")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise refusal_of_status(413)


def _read_query(operation: Operation, arguments: dict[str, Any]) -> None:
    """Validate the query; a key given twice stays a list, which no field accepts."""
    if operation.query is not None:
        given = {key: v[0] if len(v) == 1 else v for key, v in request.args.lists()}
        arguments["query"] = operation.query.model_validate_strings(given)
    elif request.args:
        raise Refused(422, "This address takes no query.")


def _require_media(media_type: str) -> None:
    """Refuse any other media type: forms and plain text are what a web page may send without a
    preflight request.
    """
    if request.mimetype != media_type or request.content_encoding:
        raise Refused(415, f"Send this as {media_type}, without a content encoding.")


def _idempotency_key(headers: Headers) -> str | None:
    key = headers.get("Idempotency-Key")
    if key is not None and not re.fullmatch(r"[!-~]{1,200}", key):
        raise Refused(422, "An Idempotency-Key has 1 to 200 visible ASCII characters.")
    return key
