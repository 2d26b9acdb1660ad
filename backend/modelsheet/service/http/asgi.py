"""Serve the Flask application over ASGI.

A request is judged when its head is complete, before its body is kept. Views run on threads, a few
for each caller; idle connections, long polls, slow senders and slow readers hold none.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

from flask import Flask

from modelsheet.api.size_limits import MAX_BODY_BYTES, MAX_JSON_BYTES
from modelsheet.service.http.access import caller_of
from modelsheet.service.http.caller_limits import CallerLimits
from modelsheet.service.http.head_check import Head, answer_later, check_head, refuse
from modelsheet.service.http.problems import Refused, refusal_of_status
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.http.wsgi import (
    Answer,
    BodyTooLarge,
    ClientGone,
    Receive,
    Scope,
    Send,
    call,
    environ_of,
    receive_body,
    send_answer,
)
from modelsheet.service.service import Service

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

_MOST_REQUESTS = 512  # under way for one caller: a quarter of the connections
_CALLERS_SHARE = 3  # a caller has at most a third of the threads


class AsgiApp:
    """The Flask application of a service as an ASGI application on `threads` threads."""

    def __init__(
        self, app: Flask, service: Service, operations: tuple[Operation, ...], threads: int
    ) -> None:
        self._app = app
        self._service = service
        self._operations = {operation.name: operation for operation in operations}
        self._waiting_paths = {one.path for one in operations if one.waits}
        self._folder = service.data_dir
        self._threads = ThreadPoolExecutor(threads, "http")
        self._limits = CallerLimits(_MOST_REQUESTS, max(1, threads // _CALLERS_SHARE))

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; `scope["state"]["connection"]` is its Connection."""
        connection = scope["state"]["connection"]
        environ = environ_of(scope)
        head = self._head(scope, environ)
        connection.is_known |= head.caller is not None
        with ExitStack() as under_way:
            try:
                _check_framing(scope)
                threads = under_way.enter_context(self._limits.request(head.caller))
                answer = await self._answer(head, environ, scope, receive, threads)
            except (Refused, OSError) as error:  # OSError: no room for a body or an answer
                answer = call(refuse(self._app, environ, error), environ, self._folder)
            except ClientGone:
                connection.abort()
                return
            await send_answer(answer, send, lambda: connection.is_lost)

    def _head(self, scope: Scope, environ: WSGIEnvironment) -> Head:
        """Judge a request that holds something before its view runs: a body, or a place to wait."""
        if _has_body(scope) or scope["path"] in self._waiting_paths:
            return check_head(self._app, environ, self._operations)
        return Head(caller_of(environ, self._service.access))

    async def _answer(
        self,
        head: Head,
        environ: WSGIEnvironment,
        scope: Scope,
        receive: Receive,
        threads: asyncio.Semaphore,
    ) -> Answer:
        if head.refusal is not None:
            return call(head.refusal, environ, self._folder)
        if head.operation is not None and head.operation.waits:
            return await self._wait(head, environ, receive)
        if _has_body(scope):
            with await self._body(head, environ, receive) as body:
                environ["CONTENT_LENGTH"] = str(body.seek(0, 2))
                body.seek(0)
                environ["wsgi.input"] = body
                return await self._view(environ, threads)
        return await self._view(environ, threads)

    async def _view(self, environ: WSGIEnvironment, threads: asyncio.Semaphore) -> Answer:
        async with threads:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, call, self._app, environ, self._folder)

    async def _body(self, head: Head, environ: WSGIEnvironment, receive: Receive) -> IO[bytes]:
        takes_bytes = head.operation is not None and head.operation.takes_bytes
        limit = MAX_BODY_BYTES if takes_bytes else MAX_JSON_BYTES
        try:
            return await receive_body(receive, limit, self._folder)
        except BodyTooLarge:
            raise refusal_of_status(413) from None

    async def _wait(self, head: Head, environ: WSGIEnvironment, receive: Receive) -> Answer:
        """Answer a request that waits for an event, unless its client goes away meanwhile."""
        assert head.operation is not None
        result = asyncio.ensure_future(head.operation.handle(self._service, **head.arguments))
        left = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({result, left}, return_when=asyncio.FIRST_COMPLETED)
            if not result.done():
                raise ClientGone
            # Judged again: the token may have been revoked meanwhile.
            answer = answer_later(self._app, environ, self._operations, result.result())
            return call(answer, environ, self._folder)
        finally:
            result.cancel()
            left.cancel()


def _has_body(scope: Scope) -> bool:
    """Return True if a body follows the head."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


def _check_framing(scope: Scope) -> None:
    """Refuse a request with two lengths, after which the connection cannot be trusted (RFC 9112,
    6.1), and a target that is no path.
    """
    names = {name for name, _ in scope["headers"]}
    if names >= {b"transfer-encoding", b"content-length"} or not scope["path"].startswith("/"):
        raise refusal_of_status(400, {"Connection": "close"})


async def _disconnected(receive: Receive) -> None:
    """Return when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
