"""Some jobs and clients; `python -m tests.service.scenarios.load` takes as many as one likes."""

from __future__ import annotations

import os

import pytest

from tests.service.scenarios import crowds
from tests.service.scenarios.crowds import Crowd
from tests.service.scenarios.live import LiveService
from tests.service.scenarios.load import crowd, fill_list, soak

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


@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "others",
    [
        Crowd(dockers=40),
        Crowd(dockers=8, idle=200),
        Crowd(dockers=8, slow_readers=12),
        Crowd(dockers=8, bodies=12),
        Crowd(dockers=8, idle=80, slow_readers=12, bodies=6),
    ],
    ids=str,
)
def test_no_docker_is_refused_or_left_without_an_answer(shared: LiveService, others: Crowd) -> None:
    outcome = crowds.run(shared, others, seconds=8.0, rest_s=1.0)

    assert outcome.tally.failures == []
    assert len(outcome.tally.times_s) >= 4 * others.dockers
    assert outcome.peak_memory < 300 << 20


@pytest.mark.timeout(1200)
def test_who_lists_jobs_of_the_longest_results_stops_nobody(shared: LiveService) -> None:
    fill_list(shared, 4)

    outcome = crowds.run(shared, Crowd(dockers=8, listers=2), seconds=8.0, rest_s=1.0)

    assert outcome.tally.failures == []
    assert outcome.peak_memory < 300 << 20
