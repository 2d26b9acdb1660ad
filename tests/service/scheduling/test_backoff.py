"""The retry of a job is delayed after its worker died."""

from __future__ import annotations

import pytest

from modelsheet.service.scheduling.backoff import Backoff


@pytest.mark.parametrize(
    ("losses", "delay_s"), [(1, 1.0), (2, 2.0), (3, 5.0), (4, 10.0), (5, 30.0), (6, 30.0)]
)
def test_a_job_is_delayed_longer_with_each_death(losses: int, delay_s: float) -> None:
    backoff = Backoff((1.0, 2.0, 5.0, 10.0, 30.0))
    backoff.delay("job", losses, now=100.0)

    assert backoff.is_delayed("job", 100.0 + delay_s - 0.1)
    assert not backoff.is_delayed("job", 100.0 + delay_s)
    assert not backoff.is_delayed("other", 100.0)
    assert backoff.next_retry(100.0) == 100.0 + delay_s
    assert backoff.next_retry(100.0 + delay_s) is None


def test_a_delay_that_ends_during_a_check_is_not_slept_over() -> None:
    backoff = Backoff((1.0,))
    backoff.delay("job", 1, now=100.0)
    seen_at = 100.9
    assert backoff.is_delayed("job", seen_at)

    assert backoff.next_retry(seen_at) == 101.0  # though it may be 101.1 by now
    assert backoff.next_retry(101.1) is None
