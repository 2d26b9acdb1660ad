"""The socket: waitress on loopback, which refuses what is no request in the form we answer in."""

from __future__ import annotations

from typing import Any

import waitress
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from modelsheet.service.http.access import HEADERS, MAX_BODY_BYTES
from modelsheet.service.http.problems import MEDIA_TYPE, describe

HOST = "127.0.0.1"


def listen(app: Flask, port: int, threads: int) -> Any:  # Any: waitress has no types
    """Bind to loopback, and to nothing else; port 0 takes a free one."""
    server = waitress.create_server(
        app,
        host=HOST,
        port=port,
        threads=threads,
        max_request_body_size=MAX_BODY_BYTES + 1,  # waitress refuses from that size on
        connection_limit=64,
        channel_timeout=60,
        expose_tracebacks=False,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    server.channel_class = type(
        "Channel", (HTTPChannel,), {"error_task_class": staticmethod(_refusing)}
    )
    return server


class _Refusal:
    """Stands in for waitress' own error, whose answer is plain text."""

    def __init__(self, status: int) -> None:
        self._status = status if status < 500 else 400

    def to_response(self, ident: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
        told = describe(self._status)
        headers = [("Content-Type", MEDIA_TYPE), *HEADERS.items()]
        return f"{told.status} {told.title}", headers, told.model_dump_json().encode()


def _refusing(channel: Any, request: Any) -> Any:
    request.error = _Refusal(request.error.code)
    return ErrorTask(channel, request)
