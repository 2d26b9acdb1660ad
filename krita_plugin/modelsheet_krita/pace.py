"""Runs long work on Krita's thread in short slices, so that painting goes on meanwhile."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import Any, Callable

from .guard import guarded
from .qt import QtCore

SLICE_S = 0.012  # of the 16 ms between two pictures of a 60 Hz screen


class Pace(QtCore.QObject):
    """One generator at work; it yields wherever it may be interrupted."""

    def __init__(
        self,
        work: Generator[None, None, Any],
        on_done: Callable[[Any], None],
        on_error: Callable[[Exception], None],
    ) -> None:
        super().__init__()
        self._work, self._on_done, self._on_error = work, on_done, on_error
        self._is_busy = self._is_stopped = False
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._turn)
        self._timer.start(0)

    @property
    def is_running(self) -> bool:
        return self._timer.isActive()

    def stop(self) -> None:
        self._timer.stop()
        self._is_stopped = True
        if not self._is_busy:
            self._work.close()

    def begin(self) -> None:
        """Do the first slice at once: what is small needs no later turn."""
        self._turn()

    def _turn(self) -> None:
        if self._is_busy:  # a call into Krita turned the event loop, and with it our timer
            return
        self._is_busy = True
        guarded(self._slice, self._fail)
        self._is_busy = False
        if self._is_stopped:
            self._work.close()

    def _slice(self) -> None:
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
