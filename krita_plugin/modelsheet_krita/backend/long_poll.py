"""Interruptible long poll, so that one thread is enough for polling and requests.

While the thread waits for the answer to the poll, it also waits for a SelectableEvent; when that is
set, the waiting requests run on other HTTP connections, and the poll goes on undisturbed.
"""

from __future__ import annotations

import select
import socket
from typing import TYPE_CHECKING, Any, Callable

from .._vendor.urllib3.connection import HTTPConnection, HTTPSConnection
from .._vendor.urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from requests import adapters
else:
    from .._vendor.requests import adapters


class SelectableEvent:
    """An event between two threads, like threading.Event, that `select` can wait for."""

    def __init__(self) -> None:
        # A pair of sockets, as Windows' select knows no pipes.
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def set(self) -> None:
        """Wake the waiting thread."""
        try:
            self._writer.send(b"\0")
        except OSError:
            return  # the buffer is full of earlier calls, or the reader is closed

    def wait(self, timeout_s: float | None, other: socket.socket | None = None) -> bool:
        """Wait until the event is set or `other` can be read; return True and clear it if set."""
        readers = [self._reader] if other is None else [self._reader, other]
        ready, _, _ = select.select(readers, [], [], timeout_s)
        if self._reader not in ready:
            return False
        self._reader.recv(65536)
        return True

    def close(self) -> None:
        """Close both sockets."""
        self._reader.close()
        self._writer.close()


class InterruptibleAdapter(adapters.HTTPAdapter):
    """HTTP adapter for slow answers; calls `on_wakeup` each time `wakeup` is set meanwhile."""

    def __init__(
        self, wakeup: SelectableEvent, on_wakeup: Callable[[], None], timeout_s: float
    ) -> None:
        self._wait = _make_wait(wakeup, on_wakeup, timeout_s)
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make pools whose connections wait in `select` before they read the answer."""
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _make_pool_class(HTTPConnectionPool, HTTPConnection, self._wait),
            "https": _make_pool_class(HTTPSConnectionPool, HTTPSConnection, self._wait),
        }


def _make_wait(
    wakeup: SelectableEvent, on_wakeup: Callable[[], None], timeout_s: float
) -> Callable[[socket.socket], None]:
    def wait(answer: socket.socket) -> None:
        while wakeup.wait(timeout_s, answer):
            on_wakeup()

    return wait


def _make_pool_class(pool: type, connection: type, wait: Callable[[socket.socket], None]) -> type:
    class InterruptibleConnection(connection):  # type: ignore[misc]
        def getresponse(self) -> Any:
            wait(self.sock)
            return super().getresponse()

    class InterruptiblePool(pool):  # type: ignore[misc]
        ConnectionCls = InterruptibleConnection

    return InterruptiblePool
