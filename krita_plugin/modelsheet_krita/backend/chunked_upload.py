"""Upload a large file or byte string in chunks, so that other requests run in between."""

from __future__ import annotations

from pathlib import Path
from typing import Callable

from ..errors import BackendError, RequestRefused
from ..i18n import tr
from .client import Client
from .connection_thread import BackendConnection

CHUNK_BYTES = 8 << 20


class ChunkedUpload:
    """One upload; `stop` ends it after the chunk that is being sent.

    `on_progress` gets the number of chunks sent and of all; `on_sent` the sha256 of each chunk.
    """

    def __init__(
        self,
        connection: BackendConnection,
        source: Path | bytes,
        *,
        on_progress: Callable[[int, int], None],
        on_sent: Callable[[tuple[str, ...]], None],
        on_error: Callable[[BackendError], None],
    ) -> None:
        self._connection, self._source = connection, source
        self._on_progress, self._on_sent, self._on_error = on_progress, on_sent, on_error
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        self._count = max(1, -(-size // CHUNK_BYTES))
        self._parts: tuple[str, ...] = ()
        self._is_stopped = False
        self._send_next()

    def stop(self) -> None:
        """Send no further chunk, and call no handler."""
        self._is_stopped = True

    def _send_next(self) -> None:
        if self._is_stopped:
            return
        self._on_progress(len(self._parts), self._count)
        if len(self._parts) == self._count:
            self._on_sent(self._parts)
            return
        number = len(self._parts)
        self._connection.request(
            lambda client: self._put(client, number), self._on_put, self._on_error
        )

    def _on_put(self, sha256: str) -> None:
        self._parts = (*self._parts, sha256)
        self._send_next()

    def _put(self, client: Client, number: int) -> str:
        """Upload one chunk, on the background thread; return its sha256."""
        start = number * CHUNK_BYTES
        if isinstance(self._source, bytes):
            return client.put_blob(self._source[start : start + CHUNK_BYTES])
        try:
            with self._source.open("rb") as stream:
                stream.seek(start)
                return client.put_blob(stream.read(CHUNK_BYTES))
        except OSError as error:
            raise RequestRefused(
                tr(
                    "“{name}” cannot be read ({reason}).",
                    name=self._source.name,
                    reason=error.strerror or error,
                )
            ) from error
