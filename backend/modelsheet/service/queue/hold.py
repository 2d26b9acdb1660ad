"""Hold the queue: open, held until the operator opens it, or ending after the running jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.jobs import QueueState


class QueueHold:
    """The queue's state. `held` persists as a mark file in the data folder, `ending` does not.

    `on_end` is called when the queue is ending and no job runs any more.
    """

    def __init__(self, mark: Path, on_end: Callable[[], None]) -> None:
        self._mark = mark
        self._on_end = on_end
        self._is_ending = threading.Event()

    @property
    def state(self) -> QueueState:
        """Return the state; only an open queue starts jobs."""
        if self._is_ending.is_set():
            return "ending"
        return "held" if self._mark.exists() else "open"

    @property
    def is_open(self) -> bool:
        """Return True if jobs are started."""
        return self.state == "open"

    def set(self, state: QueueState) -> None:
        """Change the state."""
        if state == "held":
            self._mark.touch()
        elif state == "open":
            self._mark.unlink(missing_ok=True)
        if state == "ending":
            self._is_ending.set()
        else:
            self._is_ending.clear()

    def note_idle(self) -> None:
        """Call `on_end` if the queue is ending; to be called when no job runs."""
        if self._is_ending.is_set():
            self._on_end()
