"""A worker without heartbeats or progress is shown as stalled, then replaced."""

from __future__ import annotations

import time

import pytest

from modelsheet.service.executors.watchdog import Watchdog, WatchdogLimits


class Clock:
    """A monotonic clock that stands still until it is set on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def listen(watchdog: Watchdog, clock: Clock, seconds: int, beats: bool = False) -> None:
    """Check each second, as a worker's watching thread does."""
    for _ in range(seconds):
        clock.now += 1.0
        if beats:
            watchdog.heartbeat()
        watchdog.check()


def test_silence_is_shown_then_ended(clock: Clock) -> None:
    watchdog = Watchdog(WatchdogLimits())

    listen(watchdog, clock, 30)
    assert not watchdog.is_stalled
    listen(watchdog, clock, 1)
    assert (watchdog.is_stalled, watchdog.reason_to_end) == (True, "")
    listen(watchdog, clock, 90)
    assert watchdog.reason_to_end == "no sign of life for 120 s"


def test_a_heart_that_beats_without_progress_is_a_hang(clock: Clock) -> None:
    watchdog = Watchdog(WatchdogLimits())

    listen(watchdog, clock, 299, beats=True)
    assert not watchdog.is_stalled
    listen(watchdog, clock, 2, beats=True)
    assert watchdog.is_stalled
    listen(watchdog, clock, 1500, beats=True)
    assert watchdog.reason_to_end == "no progress for 1800 s"
    watchdog.progress()
    assert not watchdog.is_stalled


def test_a_machine_that_slept_blames_nobody(clock: Clock) -> None:
    watchdog = Watchdog(WatchdogLimits())
    listen(watchdog, clock, 10)

    clock.now += 8 * 3600.0
    watchdog.check()

    assert not watchdog.is_stalled
    assert watchdog.reason_to_end == ""
