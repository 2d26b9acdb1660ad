"""Whether jobs are started: open, held until somebody opens it, or ending with the running job."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.jobs import QueueState


class Gate:
    """`held` outlives the service by a mark in the data folder; `ending` is over with it.

    `on_end` is called once nothing runs any more.
    """

    def __init__(self, mark: Path, on_end: Callable[[], None]) -> None:
        self._mark = mark
        self._on_end = on_end
        self._is_ending = threading.Event()

    @property
    def state(self) -> QueueState:
        if self._is_ending.is_set():
            return "ending"
        return "held" if self._mark.exists() else "open"

    @property
    def is_open(self) -> bool:
        return self.state == "open"

    def set(self, state: QueueState) -> None:
        if state == "held":
            self._mark.touch()
        elif state == "open":
            self._mark.unlink(missing_ok=True)
        if state == "ending":
            self._is_ending.set()
        else:
            self._is_ending.clear()

    def nothing_runs(self) -> None:
        """Take note of it, which ends the service if that is what was asked for."""
        if self._is_ending.is_set():
            self._on_end()
