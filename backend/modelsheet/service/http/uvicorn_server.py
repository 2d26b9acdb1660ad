"""Serve the ASGI application by uvicorn on loopback, with limits on what a connection may hold.

uvicorn leaves these to a proxy in front of it: how long a head may take, how long an answer may
wait for its reader, and how many connections there may be.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any, cast

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from modelsheet.errors import Conflict, InvalidRequest
from modelsheet.operating_system import raise_handle_limit
from modelsheet.service.http.access import HEADERS
from modelsheet.service.http.asgi import AsgiApp
from modelsheet.service.http.problems import MEDIA_TYPE, problem_of_status

HOST = "127.0.0.1"
_MOST_CONNECTIONS = 2048
_HANDLES_WANTED = 8192
_OWN_HANDLES = 32  # database, logs, pipes of the worker
_ACCEPTED_AT_ONCE = 128
_KERNEL_QUEUE = 1024
_HEAD_TIMEOUT_S = 10.0
_KEEP_ALIVE_S = 60  # a docker polls every 10 s, and its second connection rests between errands
_STALLED_READER_S = 60.0
_LONGEST_END_S = 5  # that answers under way may take when the service ends
_HEAD_LIMIT = 64 << 10  # bytes
_MOST_DISCARDED = 1 << 20  # bytes of refused bodies


class _Config(uvicorn.Config):
    """uvicorn's configuration, and how many connections there may be."""

    most_connections = _MOST_CONNECTIONS


class Connection(H11Protocol):
    """One connection of a client; it is closed when it holds a place for nothing.

    `is_known`: it has brought a token. `is_lost`: nothing that is sent arrives.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: Any,  # uvicorn's own
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, {**app_state, "connection": self}, _loop)
        self.is_known = False
        self.is_lost = False
        self._most = cast(_Config, config).most_connections
        self._idle_since = self.loop.time()
        self._discarded = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._reader_timer: asyncio.TimerHandle | None = None

    @property
    def is_answering(self) -> bool:
        """Return True from a request's complete head to the end of its answer."""
        return self.cycle is not None and not self.cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, in place of the one that was idle longest if there are too many."""
        super().connection_made(transport)
        # asyncio does so only for sockets that were made with IPPROTO_TCP.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._start_head_timer()
        if len(self.connections) > self._most:
            others = [one for one in self.connections if isinstance(one, Connection)]
            idle = [one for one in others if not one.is_answering and one is not self]
            first = min(idle, key=lambda one: (one.is_known, one._idle_since), default=self)
            first.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection and its timers."""
        self.is_lost = True
        _cancel(self._head_timer)
        _cancel(self._reader_timer)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Read a request; the time for its head begins with its first byte. What is left of a
        refused body is read for a moment, so that a client that sends it sees the answer.
        """
        super().data_received(data)
        if not self.is_answering and self.conn.their_state is h11.SEND_BODY:
            self._discarded += len(data)
            if self._discarded > _MOST_DISCARDED:
                self.abort()
        if self.is_answering:
            _cancel(self._head_timer)
            self._head_timer = None
        elif not self.is_lost:
            self._start_head_timer()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Give the reader a while to take what was written."""
        super().pause_writing()
        self._reader_timer = self.loop.call_later(_STALLED_READER_S, self.abort)

    def resume_writing(self) -> None:
        """Go on: the reader has taken what was written."""
        _cancel(self._reader_timer)
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP request by problem details, and close."""
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.abort()
            return
        problem = problem_of_status(400)
        headers = {**HEADERS, "Content-Type": MEDIA_TYPE, "Connection": "close"}
        start = h11.Response(
            status_code=400, headers=list(headers.items()), reason=problem.title.encode()
        )
        data = h11.Data(data=problem.model_dump_json().encode())
        for event in (start, data, h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(_HEAD_TIMEOUT_S, self.abort)


class HttpServer(uvicorn.Server):
    """A uvicorn server on a loopback port; `should_exit = True` ends `run`.

    `on_exit` is called when it ends, so that requests that wait are answered first.
    """

    def __init__(self, app: AsgiApp, port: int, on_exit: Callable[[], None]) -> None:
        backlog, most_connections = _connection_limits()
        config = _Config(
            app,
            http=Connection,
            ws="none",
            loop="asyncio",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=backlog,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_LONGEST_END_S,
            h11_max_incomplete_event_size=_HEAD_LIMIT,
        )
        config.most_connections = most_connections
        super().__init__(config)
        self._on_exit = on_exit
        self._app = app
        # It listens at once: who connects before `run` waits a moment instead of being refused.
        self._socket = _listening_socket(port)
        self.port: int = self._socket.getsockname()[1]

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until `should_exit`."""
        super().run(sockets or [self._socket])

    def close(self) -> None:
        """Close the port and end the threads."""
        self._socket.close()
        self._app.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept connections."""
        await super().startup(sockets)
        # uvicorn's backlog is how many are accepted at once, too; more may wait in the kernel.
        self._socket.listen(_KERNEL_QUEUE)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer those who wait, then end as uvicorn does."""
        self._on_exit()
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the caller of `run`."""
        yield


def _listening_socket(port: int) -> socket.socket:
    """Return a socket that listens on loopback. Raises Conflict: the port is taken; InvalidRequest:
    it cannot be had.
    """
    try:
        return socket.create_server((HOST, port), backlog=_KERNEL_QUEUE)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise Conflict(
                f"Port {port} is taken by another program; give another --port."
            ) from None
        raise InvalidRequest(
            f"Port {port} cannot be opened ({error.strerror}); give another --port, from 1024 to "
            "65535."
        ) from None


def _connection_limits() -> tuple[int, int]:
    """Return how many connections may be accepted at once, and how many there may be: each may need
    a second handle, for the file that its body is kept in.
    """
    spare = raise_handle_limit(_HANDLES_WANTED) - _OWN_HANDLES
    backlog = max(2, min(_ACCEPTED_AT_ONCE, spare // 16))
    in_between = 4 * backlog  # accepted, and not in the hands of a protocol yet
    return backlog, max(8, min(_MOST_CONNECTIONS, (spare - in_between) // 2))


def _cancel(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
