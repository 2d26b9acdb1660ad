"""Some jobs and clients; `python -m tests.service.scenarios.load` takes as many as one likes."""

from __future__ import annotations

import os

import pytest

from tests.service.scenarios.live import LiveService
from tests.service.scenarios.load import crowd, soak

pytestmark = pytest.mark.skipif(os.name != "posix", reason="counts file descriptors")


@pytest.mark.timeout(1200)
def test_jobs_leave_no_handles_and_no_memory_behind(shared: LiveService) -> None:
    first, second, third = soak(shared, 150)

    assert third.handles <= second.handles + 2
    assert third.threads <= second.threads + 2
    assert third.memory - second.memory < 8 << 20
    assert first.memory > 0


@pytest.mark.timeout(1200)
def test_nobody_waits_on_a_slow_client(shared: LiveService) -> None:
    waiting = crowd(shared, clients=12, rounds=1)

    assert len(waiting.times_s) >= 36  # each answered while the slow one still sends
