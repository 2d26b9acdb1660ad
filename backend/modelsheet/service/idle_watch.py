"""End a service that nobody uses: no request for a while, and no job that runs or waits."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

_log = logging.getLogger(__name__)
_LONGEST_INTERVAL_S = 15.0


class IdleWatch:
    """A thread that calls `on_idle` once after `idle_s` without a request or a job; 0 for never.

    `has_work` tells if a job runs or waits. A paused job waits for the artist, who comes back with
    a request.
    """

    def __init__(
        self, idle_s: float, has_work: Callable[[], bool], on_idle: Callable[[], None]
    ) -> None:
        self._idle_s, self._has_work, self._on_idle = idle_s, has_work, on_idle
        self._interval_s = min(_LONGEST_INTERVAL_S, idle_s / 4)
        self._used_at = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="idle-watch", daemon=True)

    def start(self) -> None:
        """Start the thread, if there is something to watch for."""
        if self._idle_s > 0:
            self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()

    def note_request(self) -> None:
        """Record that a client is there."""
        self._used_at = time.monotonic()

    def _watch(self) -> None:
        looked_at = time.monotonic()
        while not self._stopped.wait(self._interval_s):
            now = time.monotonic()
            # After the computer slept, its clients have a while to come back.
            if self._has_work() or now - looked_at > 5 * self._interval_s + 1.0:
                self._used_at = now
            looked_at = now
            if now - self._used_at >= self._idle_s:
                _log.info("No request and no job for %.0f s: the service ends", self._idle_s)
                return self._on_idle()
        return None
