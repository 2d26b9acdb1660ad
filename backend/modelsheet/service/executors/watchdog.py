"""Watch a worker's heartbeats and progress, and decide when it counts as stalled or is replaced."""

from __future__ import annotations

import time
from dataclasses import dataclass

_HANG_SHOWN_AFTER = 1 / 6  # of hang_s


@dataclass(frozen=True)
class WatchdogLimits:
    """Seconds without a heartbeat until a worker is shown as stalled (`quiet_s`) and is replaced
    (`stall_s`), and without progress despite heartbeats, as when a GPU hangs (`hang_s`).
    """

    quiet_s: float = 30.0
    stall_s: float = 120.0
    hang_s: float = 1800.0


class Watchdog:
    """The last heartbeat and progress of one worker. Times are of the monotonic clock."""

    def __init__(self, limits: WatchdogLimits) -> None:
        self._limits = limits
        self.check_interval_s = min(1.0, limits.quiet_s / 4, limits.stall_s / 4)
        self._beat_at = self._progress_at = self._checked_at = time.monotonic()

    def heartbeat(self) -> None:
        """Record a heartbeat."""
        self._beat_at = time.monotonic()

    def progress(self) -> None:
        """Record progress, or a new job."""
        self._beat_at = self._progress_at = time.monotonic()

    def check(self) -> None:
        """Ignore a silence during which this process was itself suspended."""
        now = time.monotonic()
        if now - self._checked_at > 5 * self.check_interval_s:
            self._beat_at = self._progress_at = now
        self._checked_at = now

    @property
    def is_stalled(self) -> bool:
        """Return True if the worker should be shown as stalled."""
        now = time.monotonic()
        hangs = now - self._progress_at > self._limits.hang_s * _HANG_SHOWN_AFTER
        return hangs or now - self._beat_at > self._limits.quiet_s

    @property
    def reason_to_end(self) -> str:
        """Return why the worker should be replaced, empty if it should not."""
        now = time.monotonic()
        if now - self._beat_at > self._limits.stall_s:
            return f"no sign of life for {self._limits.stall_s:.0f} s"
        if now - self._progress_at > self._limits.hang_s:
            return f"no progress for {self._limits.hang_s:.0f} s"
        return ""
