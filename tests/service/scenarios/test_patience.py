"""How long a job rests after its worker died, and when a worker is silent for too long."""

from __future__ import annotations

import time

import pytest

from modelsheet.service.executors.watchdog import Watchdog, WatchdogLimits
from modelsheet.service.scheduling.backoff import Backoff


@pytest.mark.parametrize(
    ("losses", "rest_s"), [(1, 1.0), (2, 2.0), (3, 5.0), (4, 10.0), (5, 30.0), (6, 30.0)]
)
def test_a_job_rests_longer_with_each_death(losses: int, rest_s: float) -> None:
    backoff = Backoff((1.0, 2.0, 5.0, 10.0, 30.0))
    backoff.lost("job", losses, now=100.0)

    assert backoff.rests("job", 100.0 + rest_s - 0.1)
    assert not backoff.rests("job", 100.0 + rest_s)
    assert not backoff.rests("other", 100.0)
    assert backoff.next_end(100.0) == 100.0 + rest_s
    assert backoff.next_end(100.0 + rest_s) is None


def test_a_rest_that_ends_while_one_looks_is_not_slept_over() -> None:
    backoff = Backoff((1.0,))
    backoff.lost("job", 1, now=100.0)
    seen_at = 100.9
    assert backoff.rests("job", seen_at)

    assert backoff.next_end(seen_at) == 101.0  # though it may be 101.1 by now
    assert backoff.next_end(101.1) is None


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


def listen(vitals: Watchdog, clock: Clock, seconds: int, beats: bool = False) -> None:
    """Check each second, as the watch does."""
    for _ in range(seconds):
        clock.now += 1.0
        if beats:
            vitals.beat()
        vitals.check()


def test_silence_is_shown_then_ended(clock: Clock) -> None:
    vitals = Watchdog(WatchdogLimits())

    listen(vitals, clock, 30)
    assert not vitals.is_quiet
    listen(vitals, clock, 1)
    assert (vitals.is_quiet, vitals.reason_to_end) == (True, "")
    listen(vitals, clock, 90)
    assert vitals.reason_to_end == "no sign of life for 120 s"


def test_a_heart_that_beats_without_progress_is_a_hang(clock: Clock) -> None:
    vitals = Watchdog(WatchdogLimits())

    listen(vitals, clock, 299, beats=True)
    assert not vitals.is_quiet
    listen(vitals, clock, 2, beats=True)
    assert vitals.is_quiet
    listen(vitals, clock, 1500, beats=True)
    assert vitals.reason_to_end == "no progress for 1800 s"
    vitals.move()
    assert not vitals.is_quiet


def test_a_machine_that_slept_blames_nobody(clock: Clock) -> None:
    vitals = Watchdog(WatchdogLimits())
    listen(vitals, clock, 10)

    clock.now += 8 * 3600.0
    vitals.check()

    assert not vitals.is_quiet
    assert vitals.reason_to_end == ""
