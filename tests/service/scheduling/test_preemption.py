"""An artist's picture overtakes learning, and learning still gets on: the arithmetic of it."""

from __future__ import annotations

from modelsheet.api.jobs import JobView, Progress
from modelsheet.service.queue.job import PRIORITIES, Job, JobKind
from modelsheet.service.scheduling.preemption import PreemptionPolicy
from tests.service.queue.queued import queued_job


def job(kind: JobKind) -> Job:
    view = JobView(
        id=kind, kind=kind, title="t", state="queued", attempt=1, progress=Progress(), created=0.0
    )
    return Job(view, "{}", PRIORITIES[kind], 1, cancel_requested=False, pause_requested=False)


LEARN, GENERATE, DESCRIBE = job("learn"), job("generate"), job("describe")
DOWNLOAD = job("download")


def test_the_first_picture_interrupts_learning_at_once() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    policy.started(LEARN, now=100)

    assert policy.preempt_at(LEARN, [GENERATE]) == 100


def test_only_something_more_urgent_interrupts() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)

    assert policy.preempt_at(LEARN, [LEARN]) is None
    assert policy.preempt_at(LEARN, []) is None
    assert policy.preempt_at(LEARN, [DOWNLOAD]) is None


def test_describing_gives_way_to_painting_at_once_and_learning_to_both() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    policy.started(LEARN, now=100)
    policy.started(DESCRIBE, now=100)

    assert policy.preempt_at(DESCRIBE, [GENERATE]) == 0
    assert policy.preempt_at(GENERATE, [DESCRIBE]) is None
    assert policy.preempt_at(LEARN, [DESCRIBE]) == 100
    assert policy.next_job([GENERATE, DESCRIBE, LEARN]) == GENERATE


def test_a_download_gives_way_to_learning() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    policy.started(DOWNLOAD, now=100)

    assert policy.preempt_at(DOWNLOAD, [LEARN]) == 100
    assert policy.next_job([LEARN, DOWNLOAD]) == LEARN


def test_learning_then_runs_as_long_as_it_was_kept_waiting() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    policy.ended(GENERATE, ran_s=3, is_learning_waiting=True)
    policy.started(LEARN, now=100)

    assert policy.preempt_at(LEARN, [GENERATE]) == 103


def test_but_not_longer_than_the_quantum() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    policy.ended(GENERATE, ran_s=50, is_learning_waiting=True)
    policy.started(LEARN, now=100)

    assert policy.preempt_at(LEARN, [GENERATE]) == 120


def test_after_a_burst_of_urgent_work_learning_has_its_turn() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    queued = [GENERATE, LEARN]
    before = policy.next_job(queued)
    policy.ended(GENERATE, ran_s=61, is_learning_waiting=True)

    assert (before, policy.next_job(queued)) == (GENERATE, LEARN)


def test_nothing_is_owed_when_no_learning_waited() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    policy.ended(GENERATE, ran_s=61, is_learning_waiting=False)

    assert policy.next_job([GENERATE, LEARN]) == GENERATE
    assert policy.next_job([]) is None


def test_artists_take_turns_however_much_one_asks_for() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    queued = [queued_job("ann", n) for n in range(3)] + [queued_job("ben", 0), queued_job("cyd", 0)]
    served = []
    while queued:
        job = policy.next_job(queued)
        assert job is not None
        policy.started(job, now=0)
        queued.remove(job)
        served.append(job.id)

    assert served == ["ann0", "ben0", "cyd0", "ann1", "ann2"]


def test_learning_that_stepped_aside_goes_on_before_another_begins() -> None:
    policy = PreemptionPolicy(quantum_s=20, burst_s=60)
    first, second = queued_job("ann", 0, "learn"), queued_job("ben", 0, "learn")
    policy.started(first, now=0)
    policy.ended(first, ran_s=5, is_learning_waiting=True)

    assert policy.next_job([first, second]) == first
    assert policy.next_job([second]) == second
