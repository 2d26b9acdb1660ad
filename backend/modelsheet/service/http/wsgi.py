"""Run a WSGI application inside an ASGI one: the environment, the body in a file, the answer."""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from werkzeug.wsgi import FileWrapper

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

# Any: ASGI's scopes and messages are dictionaries, one form for each type.
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
CHUNK = 64 << 10  # bytes of files at once, and the most that is kept in memory
_BODY_TIMEOUT_S = 60.0  # without a byte
_OWN_KEYS = {b"content-type": "CONTENT_TYPE", b"content-length": "CONTENT_LENGTH"}


class BodyTooLarge(Exception):
    """The body has more bytes than are taken."""


class ClientGone(Exception):
    """The client has closed the connection, or sends nothing any more."""


@dataclass(frozen=True)
class Answer:
    """A response; the body is an open file if it is long."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes | IO[bytes]


def environ_of(scope: Scope) -> WSGIEnvironment:
    """Return the WSGI environment of an ASGI request, still without its body.

    Headers with an underscore are left out: they would pass for those with a hyphen.
    """
    host, port = scope["server"] or ("", 0)
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": scope["path"].encode("utf-8").decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "REQUEST_URI": _target_of(scope),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "wsgi.input": io.BytesIO(),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" not in name and name != b"transfer-encoding":
            key = _OWN_KEYS.get(name) or f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}"
            text = value.decode("latin-1")
            environ[key] = f"{environ[key]},{text}" if key in environ else text
    return environ


def _target_of(scope: Scope) -> str:
    """Return the path and query as they stand in the request's first line."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return (path + b"?" + query if query else path).decode("latin-1")


async def receive_body(receive: Receive, limit: int, folder: Path) -> IO[bytes]:
    """Receive a body of at most `limit` bytes into memory or, if it is long, into a file of
    `folder` that has no name.

    Raises BodyTooLarge, ClientGone. OSError: the disk is full.
    """
    spool = tempfile.SpooledTemporaryFile(max_size=CHUNK, dir=str(folder))  # noqa: SIM115
    body = cast(IO[bytes], spool)
    size, is_whole = 0, False
    try:
        while not is_whole:
            data, is_whole = await _next_part(receive)
            size += len(data)
            if size > limit:
                raise BodyTooLarge
            if size <= CHUNK:
                body.write(data)
            else:
                await asyncio.to_thread(body.write, data)
        body.seek(0)
    except BaseException:  # raised again; when cancelled, too, nobody else closes the file
        body.close()
        raise
    return body


async def _next_part(receive: Receive) -> tuple[bytes, bool]:
    """Return the next bytes of a body, and whether they are the last."""
    try:
        message = await asyncio.wait_for(receive(), _BODY_TIMEOUT_S)
    except asyncio.TimeoutError:
        raise ClientGone from None
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), not message.get("more_body", False)


def call(app: WSGIApplication, environ: WSGIEnvironment, folder: Path) -> Answer:
    """Call a WSGI application; a long answer is put into a file of `folder` that has no name."""
    status, headers = "", []

    def start_response(
        new_status: str, new_headers: list[tuple[str, str]], _: object = None
    ) -> Any:
        nonlocal status, headers
        status, headers = new_status, new_headers

    parts = app(environ, start_response)
    if isinstance(parts, FileWrapper):
        return Answer(int(status[:3]), headers, parts.file)
    try:
        body = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    if len(body) <= CHUNK:
        return Answer(int(status[:3]), headers, body)
    file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 # closed once it is sent
    file.write(body)
    file.seek(0)
    return Answer(int(status[:3]), headers, file)


async def send_answer(answer: Answer, send: Send, is_lost: Callable[[], bool]) -> None:
    """Send an answer, no faster than the client takes it."""
    headers = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in answer.headers]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    if isinstance(answer.body, bytes):
        await send({"type": "http.response.body", "body": answer.body})
        return
    try:
        while not is_lost() and (part := await asyncio.to_thread(answer.body.read, CHUNK)):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    finally:
        answer.body.close()
