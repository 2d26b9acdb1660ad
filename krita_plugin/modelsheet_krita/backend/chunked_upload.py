"""Sends many bytes to the backend piece by piece, so that other work gets its turn in between."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable

from ..errors import BackendError, RequestRefused
from ..i18n import tr
from .client import Client
from .connection import BackendLink

PIECE = 8 << 20  # bytes


class Sending:
    """One file, or bytes in memory, on its way; `stop` ends it after the piece that travels.

    `on_progress` hears how many pieces are sent, of how many; `on_sent` the pieces' sha256.
    """

    def __init__(
        self,
        link: BackendLink,
        source: Path | bytes,
        *,
        on_progress: Callable[[int, int], None],
        on_sent: Callable[[tuple[str, ...]], None],
        on_trouble: Callable[[BackendError], None],
    ) -> None:
        self._link, self._source = link, source
        self._on_progress, self._on_sent, self._on_trouble = on_progress, on_sent, on_trouble
        size = source.stat().st_size if isinstance(source, Path) else len(source)
        self._count = max(1, -(-size // PIECE))
        self._parts: tuple[str, ...] = ()
        self._is_stopped = False
        self._send_next()

    def stop(self) -> None:
        self._is_stopped = True

    def _send_next(self) -> None:
        if self._is_stopped:
            return
        self._on_progress(len(self._parts), self._count)
        if len(self._parts) == self._count:
            self._on_sent(self._parts)
            return
        number = len(self._parts)
        self._link.ask(lambda client: self._put(client, number), self._on_put, self._on_trouble)

    def _on_put(self, sha256: Any) -> None:
        self._parts = (*self._parts, sha256)
        self._send_next()

    def _put(self, client: Client, number: int) -> str:
        """On the link's thread."""
        start = number * PIECE
        if isinstance(self._source, bytes):
            return client.put_blob(self._source[start : start + PIECE])
        try:
            with self._source.open("rb") as stream:
                stream.seek(start)
                return client.put_blob(stream.read(PIECE))
        except OSError as error:
            raise RequestRefused(
                tr(
                    "“{name}” cannot be read ({reason}).",
                    name=self._source.name,
                    reason=error.strerror or error,
                )
            ) from error
