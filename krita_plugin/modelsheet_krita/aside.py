"""Slow work that needs neither Krita nor the backend, off Krita's thread."""

from __future__ import annotations

import threading
from typing import Any, Callable

from .qt import QtCore, Signal


class Aside(QtCore.QObject):
    """Runs `work` on a thread of its own, then hands what it gave to `on_end` on this one.

    `work` must not raise, and must not touch widgets or Krita.
    """

    _ended = Signal()

    def __init__(self, work: Callable[[], Any], on_end: Callable[[Any], None]) -> None:
        super().__init__()
        self._work, self._on_end = work, on_end
        self._answer: Any = None
        # The signal carries nothing, as the link's: see there.
        self._ended.connect(self._deliver, QtCore.Qt.ConnectionType.QueuedConnection)
        self._thread = threading.Thread(target=self._run, name="modelsheet-aside", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._answer = self._work()
        self._ended.emit()

    def _deliver(self) -> None:
        self._thread.join()
        self._on_end(self._answer)
