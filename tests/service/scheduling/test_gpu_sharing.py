"""Several jobs at once, artists' limits, and the operator's overview."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelsheet.errors import Busy
from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.service import Service
from tests.service.executors.inline_executor import InlineExecutor
from tests.service.scenarios.live import PIXELS
from tests.service.scheduling.test_dispatcher import learning, painting, wait_for, wait_for_state
from tests.service.toy_runner import TOY_MODEL, make_runner, undisturbed_adapter

ANN, BEN = Caller("ann"), Caller("ben")


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """A service with two workers and two artists."""
    service = Service(
        tmp_path,
        lambda on_report: InlineExecutor(tmp_path, make_runner(tmp_path), on_report, slots=2),
        base_models=lambda: [TOY_MODEL],
    )
    service.blobs.write(PIXELS)
    for artist in (ANN, BEN):
        service.tokens.add(artist.name)
    service.start()
    yield service
    service.stop()


@pytest.fixture
def go(tmp_path: Path) -> Callable[[], None]:
    return (tmp_path / "go").touch


def running(service: Service, caller: Caller, class_noun: str = "slow wait") -> str:
    """Submit a learn job that waits, and return it once it runs."""
    job = service.jobs.submit(caller, learning(class_noun)).id
    wait_for(service, job, lambda view: view.state == "running")
    return job


def test_jobs_run_on_all_workers_and_the_overview_says_who_waits_for_what(
    service: Service, go: Callable[[], None]
) -> None:
    jobs = [running(service, ANN), running(service, BEN)]
    third = service.jobs.submit(ANN, learning()).id
    workload = service.dispatcher.workload()
    go()
    for job in (*jobs, third):
        wait_for_state(service, job, "done")

    assert {worker.job_id for worker in workload.workers} == set(jobs)
    assert [(wait.owner, wait.reason) for wait in workload.waiting] == [("ann", "a free worker")]
    assert [(a.name, a.running, a.waiting) for a in workload.artists] == [
        ("ann", 1, 1),
        ("ben", 1, 0),
    ]


def test_a_picture_interrupts_one_learn_job_and_no_more(
    service: Service, go: Callable[[], None], tmp_path: Path
) -> None:
    jobs = [running(service, ANN), running(service, BEN)]
    painted = service.jobs.submit(ANN, painting()).id
    wait_for_state(service, painted, "done")
    go()
    for job in jobs:
        wait_for_state(service, job, "done")

    starts = [events_of(service, job).count("running") for job in jobs]
    assert sorted(starts) == [1, 2]
    for job in jobs:
        adapter = tmp_path / "subjects" / job / "adapter.safetensors"
        assert adapter.read_bytes() == undisturbed_adapter()


def test_nobody_has_more_workers_than_they_may(service: Service, go: Callable[[], None]) -> None:
    service.tokens.limit("ann", gpus=1, queued=0)
    first = running(service, ANN)
    second = service.jobs.submit(ANN, learning()).id
    bens = running(service, BEN)
    reasons = {wait.job_id: wait.reason for wait in service.dispatcher.workload().waiting}
    go()
    for job in (first, second, bens):
        wait_for_state(service, job, "done")

    assert reasons == {second: "all that ann may have at once is in use"}


def test_at_the_limit_ones_own_picture_interrupts_ones_own_learning(
    service: Service, go: Callable[[], None]
) -> None:
    service.tokens.limit("ann", gpus=1, queued=0)
    anns, bens = running(service, ANN), running(service, BEN)
    painted = service.jobs.submit(ANN, painting()).id
    wait_for_state(service, painted, "done")
    go()
    for job in (anns, bens):
        wait_for_state(service, job, "done")

    assert events_of(service, anns).count("running") == 2
    assert events_of(service, bens).count("running") == 1


def test_nobody_has_more_jobs_waiting_than_they_may(
    service: Service, go: Callable[[], None]
) -> None:
    service.tokens.limit("ann", gpus=0, queued=1)
    jobs = [running(service, BEN), running(service, BEN)]
    jobs.append(service.jobs.submit(ANN, learning()).id)
    with pytest.raises(Busy, match="1 jobs wait already"):
        service.jobs.submit(ANN, learning())
    jobs.append(service.jobs.submit(OPERATOR, learning()).id)
    go()
    for job in jobs:
        wait_for_state(service, job, "done")


def test_a_held_queue_is_what_everybody_waits_for(service: Service) -> None:
    service.jobs.set_queue("held")
    job = service.jobs.submit(ANN, learning()).id
    reasons = [wait.reason for wait in service.dispatcher.workload().waiting]
    service.jobs.set_queue("open")
    wait_for_state(service, job, "done")

    assert reasons == ["the queue is held"]


def events_of(service: Service, job_id: str) -> list[str]:
    """The states that the ledger noted of a job, in order."""
    path = service.data_dir / "ledger.sqlite3"
    with sqlite3.connect(path) as ledger:
        rows = ledger.execute("SELECT state FROM events WHERE job_id = ? ORDER BY seq", (job_id,))
        states = [state for (state,) in rows]
    ledger.close()
    return states
