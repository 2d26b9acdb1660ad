"""The signs of life of a worker process, and when there are too few of them."""

from __future__ import annotations

import time
from dataclasses import dataclass

_HANG_SHOWN_AFTER = 1 / 6  # of the time after which a job without progress is given up


@dataclass(frozen=True)
class Patience:
    """Seconds without a heartbeat until a worker is shown as stalled (`quiet_s`) and is replaced
    (`stall_s`), and without progress though the heart beats, as when a GPU hangs (`hang_s`).
    """

    quiet_s: float = 30.0
    stall_s: float = 120.0
    hang_s: float = 1800.0


class Vitals:
    """What one worker was last heard to do. Times are of the monotonic clock."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self.check_interval_s = min(1.0, patience.quiet_s / 4, patience.stall_s / 4)
        self._beat_at = self._moved_at = self._checked_at = time.monotonic()

    def beat(self) -> None:
        self._beat_at = time.monotonic()

    def move(self) -> None:
        """Take note of a step, or of a new job."""
        self._beat_at = self._moved_at = time.monotonic()

    def check(self) -> None:
        """Forgive a silence in which we slept ourselves: a suspended machine, a stopped process."""
        now = time.monotonic()
        if now - self._checked_at > 5 * self.check_interval_s:
            self._beat_at = self._moved_at = now
        self._checked_at = now

    @property
    def is_quiet(self) -> bool:
        now = time.monotonic()
        hangs = now - self._moved_at > self._patience.hang_s * _HANG_SHOWN_AFTER
        return hangs or now - self._beat_at > self._patience.quiet_s

    @property
    def reason_to_end(self) -> str:
        """Say why the worker should be replaced; empty if it should not."""
        now = time.monotonic()
        if now - self._beat_at > self._patience.stall_s:
            return f"no sign of life for {self._patience.stall_s:.0f} s"
        if now - self._moved_at > self._patience.hang_s:
            return f"no progress for {self._patience.hang_s:.0f} s"
        return ""
