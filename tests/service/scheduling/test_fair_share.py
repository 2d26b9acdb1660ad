"""Artists share the GPUs by time: the arithmetic of it, played through with a clock of its own."""

from __future__ import annotations

from collections import Counter

from modelsheet.service.queue.job import Job
from modelsheet.service.scheduling.fair_share import FairShare
from tests.service.queue.queued import queued_job


def serve(shares: FairShare, queued: list[Job], takes_s: dict[str, float], until_s: float) -> float:
    """Serve one job after the other on one GPU; return when it ended."""
    now = 0.0
    while now < until_s and queued:
        shares.note_queued(queued)
        job = shares.choose(queued)
        assert job is not None
        queued.remove(job)
        shares.started(job)
        shares.ended(job, takes_s[job.view.owner])
        now += takes_s[job.view.owner]
    return now


def test_whoever_asks_for_long_jobs_has_no_more_of_the_gpu() -> None:
    shares = FairShare()
    queued = [queued_job(owner, n) for owner in ("ann", "ben") for n in range(500)]

    serve(shares, queued, {"ann": 1.0, "ben": 9.0}, until_s=360.0)

    assert abs(shares.total_s["ann"] - shares.total_s["ben"]) <= 9.0


def test_who_comes_late_neither_pays_nor_is_paid_for_having_been_away() -> None:
    shares = FairShare()
    serve(shares, [queued_job("ann", n) for n in range(100)], {"ann": 1.0}, until_s=100.0)
    both = [queued_job(owner, n) for owner in ("ann", "ben") for n in range(100, 200)]

    serve(shares, both, {"ann": 1.0, "ben": 1.0}, until_s=40.0)

    assert abs(shares.total_s["ben"] - 20.0) <= 1.0


def test_jobs_that_run_at_once_are_given_out_evenly_before_any_ends() -> None:
    shares = FairShare()
    queued = [queued_job(owner, n) for owner in ("ann", "ben", "cyd") for n in range(4)]
    serve(shares, queued[:1], {"ann": 5.0}, until_s=1.0)  # what a job takes is known from here on
    given: Counter[str] = Counter()
    for _ in range(6):
        shares.note_queued(queued)
        job = shares.choose(queued)
        assert job is not None
        queued.remove(job)
        shares.started(job)
        given[job.view.owner] += 1

    assert given == {"ann": 2, "ben": 2, "cyd": 2}


def test_learning_is_not_paid_with_pictures() -> None:
    shares = FairShare()
    painted = queued_job("ann", 0)
    shares.started(painted)
    shares.ended(painted, 100.0)
    learning = [queued_job("ann", 1, "learn"), queued_job("ben", 1, "learn")]
    shares.note_queued(learning)

    assert shares.choose(learning) == learning[0]


def test_of_those_who_had_as_much_the_one_comes_first_whose_models_are_there() -> None:
    shares = FairShare()
    takes = dict.fromkeys(("ann", "ben", "cyd"), 4.0)
    serve(shares, [queued_job(owner, 0) for owner in takes], takes, until_s=12.0)
    queued = [queued_job(owner, 1) for owner in takes]
    shares.note_queued(queued)

    chosen = shares.choose(queued, lambda job: job.view.owner == "cyd")

    assert chosen == queued[2]


def test_warm_models_give_nobody_more_than_a_job_and_a_half() -> None:
    shares = FairShare()
    queued = [queued_job(owner, n) for owner in ("ann", "ben", "cyd") for n in range(50)]
    for _ in range(60):
        shares.note_queued(queued)
        job = shares.choose(queued, lambda job: 2 if job.view.owner == "cyd" else 0)
        assert job is not None
        queued.remove(job)
        shares.started(job)
        shares.ended(job, 4.0)

        had = [shares.total_s[owner] for owner in ("ann", "ben", "cyd")]
        assert max(had) - min(had) <= 6.0
