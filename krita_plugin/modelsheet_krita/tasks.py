"""Run work beside Krita's own: guarded slots, incremental tasks, background threads."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Generator
from typing import Any, Callable, Generic, TypeVar

from .errors import PluginError
from .qt import QtCore, Signal, connect_queued

SLICE_S = 0.012  # of the 16 ms between two frames of a 60 Hz screen
T = TypeVar("T")
logger = logging.getLogger(__name__)


def guarded(action: Callable[[], T], on_error: Callable[[Exception], None]) -> T | None:
    """Run `action` and hand any exception to `on_error`: one that reaches Krita opens a dialog.

    The only broad `except` of the plugin. Exceptions other than PluginError are logged.
    """
    try:
        return action()
    except Exception as error:
        if not isinstance(error, PluginError):
            logger.exception("unexpected error")
        on_error(error)
        return None


class IncrementalTask(QtCore.QObject, Generic[T]):
    """Run a generator on Krita's thread in slices of 12 ms, so that painting goes on meanwhile.

    The generator yields wherever it may be interrupted; its return value goes to `on_done`.
    """

    def __init__(
        self,
        work: Generator[None, None, T],
        on_done: Callable[[T], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._work, self._on_done, self._on_error = work, on_done, on_error
        self._is_busy = self._is_stopped = False
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start(0)

    @property
    def is_running(self) -> bool:
        """True until the generator has ended, failed or been stopped."""
        return self._timer.isActive()

    def stop(self) -> None:
        """Close the generator; no handler is called."""
        self._timer.stop()
        self._is_stopped = True
        if not self._is_busy:
            self._work.close()

    def run_first_slice(self) -> None:
        """Run one slice at once: short work is then done before the event loop is entered."""
        self._on_timeout()

    def _on_timeout(self) -> None:
        if self._is_busy:  # a call into Krita ran the event loop, and with it this timer
            return
        self._is_busy = True
        guarded(self._run_slice, self._fail)
        self._is_busy = False
        if self._is_stopped:
            self._work.close()

    def _run_slice(self) -> None:
        end = time.monotonic() + SLICE_S
        while not self._is_stopped and time.monotonic() < end:
            try:
                next(self._work)
            except StopIteration as finished:
                self._timer.stop()
                self._on_done(finished.value)
                return

    def _fail(self, error: Exception) -> None:
        self._timer.stop()
        self._on_error(error)


class BackgroundTask(QtCore.QObject, Generic[T]):
    """Run `work` on a new thread, then hand its return value to `on_done` on the main thread.

    `work` must not raise, and must not touch widgets or Krita.
    """

    _finished = Signal()

    def __init__(self, work: Callable[[], T], on_done: Callable[[T], None]) -> None:
        super().__init__()
        self._work, self._on_done = work, on_done
        self._result: Any = None
        # The signal carries nothing, as that of BackendConnection: see there.
        connect_queued(self._finished, self._deliver)
        self._thread = threading.Thread(target=self._run, name="modelsheet-task", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._result = self._work()
        self._finished.emit()

    def _deliver(self) -> None:
        self._thread.join()
        self._on_done(self._result)
