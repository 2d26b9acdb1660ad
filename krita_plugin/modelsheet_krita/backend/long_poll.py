"""A long poll that other work can interrupt, so that one thread is enough for all talk.

While the answer of the poll is awaited, the thread also listens for a bell; when it rings, the
waiting work is done on other connections, and the poll goes on undisturbed.
"""

from __future__ import annotations

import select
import socket
from typing import Any, Callable

from .._vendor.requests.adapters import HTTPAdapter
from .._vendor.urllib3.connection import HTTPConnection, HTTPSConnection
from .._vendor.urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class Bell:
    """Rung in one thread, heard in another that waits in `select`."""

    def __init__(self) -> None:
        # A pair of sockets, as Windows' select knows no pipes.
        self._heard, self._rung = socket.socketpair()
        self._heard.setblocking(False)
        self._rung.setblocking(False)

    def ring(self) -> None:
        try:
            self._rung.send(b"\0")
        except OSError:
            return  # thousands of rings are unheard, or nobody listens any more

    def wait(self, timeout_s: float | None, other: socket.socket | None = None) -> bool:
        """Wait for a ring, or until `other` can be read; say whether the bell rang."""
        listened = [self._heard] if other is None else [self._heard, other]
        ready, _, _ = select.select(listened, [], [], timeout_s)
        if self._heard not in ready:
            return False
        self._heard.recv(65536)
        return True

    def close(self) -> None:
        self._heard.close()
        self._rung.close()


class InterruptibleAdapter(HTTPAdapter):
    """Sends requests with slow answers; `on_ring` runs meanwhile, at each ring of the bell."""

    def __init__(self, bell: Bell, on_ring: Callable[[], None], patience_s: float) -> None:
        self._wait = _waiting(bell, on_ring, patience_s)
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {
            "http": _pool(HTTPConnectionPool, HTTPConnection, self._wait),
            "https": _pool(HTTPSConnectionPool, HTTPSConnection, self._wait),
        }


def _waiting(
    bell: Bell, on_ring: Callable[[], None], patience_s: float
) -> Callable[[socket.socket], None]:
    def wait(answer: socket.socket) -> None:
        while bell.wait(patience_s, answer):
            on_ring()

    return wait


def _pool(pool: type, connection: type, wait: Callable[[socket.socket], None]) -> type:
    class PatientConnection(connection):  # type: ignore[misc, valid-type]
        def getresponse(self) -> Any:
            wait(self.sock)
            return super().getresponse()

    class PatientPool(pool):  # type: ignore[misc, valid-type]
        ConnectionCls = PatientConnection

    return PatientPool
