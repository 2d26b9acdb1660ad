"""A service ends after a while without clients and jobs, and only then."""

from __future__ import annotations

import threading

import pytest

from modelsheet.service.idle_watch import IdleWatch

_PATIENCE_S = 60.0


def test_without_requests_and_jobs_it_ends_once() -> None:
    ended = threading.Semaphore(0)
    watch = IdleWatch(0.05, lambda: False, ended.release)

    watch.start()

    assert ended.acquire(timeout=_PATIENCE_S)
    watch.stop()
    assert not ended.acquire(blocking=False)


def test_a_job_keeps_it_and_its_end_begins_the_time_anew() -> None:
    ended, looks, has_work = threading.Event(), threading.Semaphore(0), [True]

    def look() -> bool:
        looks.release()
        return has_work[0]

    watch = IdleWatch(0.05, look, ended.set)
    watch.start()
    for _ in range(8):  # twice the time
        assert looks.acquire(timeout=_PATIENCE_S)
    assert not ended.is_set()

    has_work[0] = False

    assert ended.wait(_PATIENCE_S)
    watch.stop()


def test_a_client_keeps_it() -> None:
    ended, looks = threading.Event(), threading.Semaphore(0)

    def look() -> bool:
        watch.note_request()
        looks.release()
        return False

    watch = IdleWatch(3600.0, look, ended.set)
    watch._interval_s = 0.01
    watch.start()

    for _ in range(5):
        assert looks.acquire(timeout=_PATIENCE_S)
    assert not ended.is_set()
    watch.stop()


def test_0_is_never() -> None:
    watch = IdleWatch(0.0, lambda: False, lambda: pytest.fail("it ended"))

    watch.start()
    watch.stop()

    assert not watch._thread.is_alive()
