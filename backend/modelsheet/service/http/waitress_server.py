"""Serve the Flask application by waitress on loopback, with malformed requests answered by problem
details.
"""

from __future__ import annotations

from typing import Any

import waitress
from flask import Flask
from waitress.channel import HTTPChannel
from waitress.task import ErrorTask

from modelsheet.api.size_limits import MAX_BODY_BYTES
from modelsheet.service.http.access import HEADERS
from modelsheet.service.http.problems import MEDIA_TYPE, problem_of_status

HOST = "127.0.0.1"


def listen(app: Flask, port: int, threads: int) -> Any:  # Any: waitress has no types
    """Return a waitress server bound to loopback only; port 0 takes a free one."""
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
        "Channel", (HTTPChannel,), {"error_task_class": staticmethod(_error_task)}
    )
    return server


class _Refusal:
    """A replacement of waitress' own error, whose answer is plain text."""

    def __init__(self, status: int) -> None:
        self._status = status if status < 500 else 400

    def to_response(self, ident: str | None) -> tuple[str, list[tuple[str, str]], bytes]:
        problem = problem_of_status(self._status)
        headers = [("Content-Type", MEDIA_TYPE), *HEADERS.items()]
        return f"{problem.status} {problem.title}", headers, problem.model_dump_json().encode()


def _error_task(channel: Any, request: Any) -> Any:
    request.error = _Refusal(request.error.code)
    return ErrorTask(channel, request)
