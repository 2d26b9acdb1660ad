"""The jobs's promises: final states are final, old attempts are refused, nothing is forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobError, JobRequest, JobView, Progress
from modelsheet.api.learn import LearnRequest, LikenessPoint
from modelsheet.api.types import ImageRef
from modelsheet.errors import Busy, Conflict, IdempotencyConflict, ModelsheetError, NotFound
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import JobStore, StaleReport
from tests.service.scenarios.live import SHA

REQUEST = GenerateRequest(prompt="a hill")
RESULT = GenerateResult(images=[])
FULL = JobError(code="disk-full", sentence="The disk is full.")


@pytest.fixture
def heard() -> list[JobView]:
    return []


@pytest.fixture
def jobs(tmp_path: Path, heard: list[JobView]) -> Iterator[JobStore]:
    with closing(JobStore(tmp_path / "ledger.sqlite3", heard.append, save_interval_s=0.0)) as jobs:
        yield jobs


def running(jobs: JobStore) -> Job:
    return jobs.start(jobs.submit(REQUEST).id)


def test_every_change_is_heard_in_order(jobs: JobStore, heard: list[JobView]) -> None:
    job = running(jobs)
    jobs.record_progress(job.id, job.fence, Progress(step=1))
    jobs.finish(job.id, job.fence, RESULT)

    assert [(v.state, v.progress.step) for v in heard] == [
        ("queued", 0),
        ("running", 0),
        ("running", 1),
        ("done", 1),
    ]


def test_what_is_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    with closing(JobStore(tmp_path / "l", lambda view: None, save_interval_s=0.0)) as jobs:
        job = running(jobs)
        jobs.record_progress(job.id, job.fence, Progress(step=7))

    with closing(JobStore(tmp_path / "l", lambda view: None)) as again:
        assert again.table.get(job.id).view.progress.step == 7
        assert again.table.get(job.id).request == REQUEST


def test_losing_the_worker_costs_an_attempt_and_raises_the_fence(jobs: JobStore) -> None:
    job = running(jobs)
    lost = jobs.record_loss(job.id, job.fence, "exit status -9")

    assert (lost.view.state, lost.view.attempt, lost.fence) == ("queued", 2, job.fence + 1)


def test_the_third_crash_is_the_end(jobs: JobStore) -> None:
    job = running(jobs)
    for _ in range(2):
        jobs.record_loss(job.id, job.fence, "exit status -9")
        job = jobs.start(job.id)

    lost = jobs.record_loss(job.id, job.fence, "exit status -9")

    assert lost.view.state == "failed"
    assert lost.view.error is not None
    assert lost.view.error.code == "worker-crashed"


def test_stepping_aside_costs_no_attempt_and_keeps_the_progress(jobs: JobStore) -> None:
    job = running(jobs)
    jobs.record_progress(job.id, job.fence, Progress(step=7, total=9))
    aside = jobs.requeue(job.id, job.fence)

    assert (aside.view.state, aside.view.attempt) == ("queued", 1)
    assert aside.view.progress.step == 7


def test_an_earlier_attempt_changes_nothing(jobs: JobStore) -> None:
    old = running(jobs)
    jobs.record_loss(old.id, old.fence, "exit status -9")
    new = jobs.start(old.id)

    with pytest.raises(StaleReport):
        jobs.finish(old.id, old.fence, RESULT)
    with pytest.raises(StaleReport):
        jobs.record_progress(old.id, old.fence, Progress(step=99))
    assert jobs.table.get(new.id) == new


def test_a_waiting_job_is_cancelled_at_once_a_running_one_is_asked(jobs: JobStore) -> None:
    waiting, started = jobs.submit(REQUEST), running(jobs)

    assert jobs.cancel(waiting.id).view.state == "cancelled"
    assert jobs.cancel(started.id).cancel_requested
    assert jobs.mark_cancelled(started.id, started.fence).view.state == "cancelled"


@pytest.mark.parametrize("ask", ["record_loss", "requeue", "pause_with_error"])
def test_a_job_to_be_cancelled_does_not_come_back(jobs: JobStore, ask: str) -> None:
    job = running(jobs)
    jobs.cancel(job.id)
    arguments = {"record_loss": ("reason",), "requeue": (), "pause_with_error": (FULL,)}[ask]

    assert getattr(jobs, ask)(job.id, job.fence, *arguments).view.state == "cancelled"


def test_a_running_job_pauses_when_it_steps_aside(jobs: JobStore) -> None:
    job = running(jobs)
    jobs.pause(job.id)

    assert jobs.requeue(job.id, job.fence).view.state == "paused"
    assert jobs.resume(job.id).view.state == "queued"
    assert jobs.start(job.id).view.state == "running"


def test_a_full_disk_pauses_with_a_sentence_until_resumed(jobs: JobStore) -> None:
    job = running(jobs)

    assert jobs.pause_with_error(job.id, job.fence, FULL).view.error == FULL
    assert jobs.resume(job.id).view.error is None


def test_curve_and_previews_stay_when_a_step_brings_none(jobs: JobStore) -> None:
    job = running(jobs)
    point = LikenessPoint(step=1, subject_fidelity=0, prompt_fidelity=0, prior_drift=0, score=0)
    jobs.record_progress(job.id, job.fence, Progress(step=1, curve=[point]))
    jobs.record_progress(job.id, job.fence, Progress(step=2))

    assert jobs.table.get(job.id).view.progress == Progress(step=2, curve=[point])


def test_a_key_belongs_to_one_request(jobs: JobStore) -> None:
    first = jobs.submit(REQUEST, "key")

    assert jobs.submit(REQUEST, "key") == first
    with pytest.raises(IdempotencyConflict):
        jobs.submit(GenerateRequest(prompt="a lake"), "key")
    assert len(jobs.table.newest()) == 1


def test_a_job_that_is_over_stays_so(jobs: JobStore) -> None:
    job = running(jobs)
    jobs.finish(job.id, job.fence, RESULT)

    for ask in (jobs.cancel, jobs.pause, jobs.resume, jobs.start):
        with pytest.raises(Conflict):
            ask(job.id)
    assert jobs.table.get(job.id).view.result == RESULT


def test_an_unknown_job_is_not_found(jobs: JobStore) -> None:
    with pytest.raises(NotFound):
        jobs.table.get("nothing")


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("CREATE TABLE jobs_of_later (id TEXT)")
        newer.execute("PRAGMA user_version=99")
    before = path.read_bytes()

    with pytest.raises(ModelsheetError, match="newer Modelsheet"):
        JobStore(path, lambda view: None)
    assert path.read_bytes() == before


def test_a_damaged_ledger_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    damaged = b"SQLite format 3\0" + bytes(range(256)) * 64
    path.write_bytes(damaged)

    with closing(JobStore(path, lambda view: None)) as jobs:
        assert jobs.table.newest() == []
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes() == damaged


LEARN = LearnRequest(name="Hero", class_noun="toy", images=[ImageRef(blob=SHA, width=4, height=4)])


def test_learning_is_asked_to_finish_and_a_waiting_one_is_queued_for_it(jobs: JobStore) -> None:
    job = jobs.start(jobs.submit(LEARN).id)
    jobs.record_progress(job.id, job.fence, Progress(step=3))

    assert jobs.finish_early(job.id).finish_requested
    jobs.pause(job.id)
    jobs.requeue(job.id, job.fence)
    again = jobs.finish_early(job.id)

    assert (again.view.state, again.finish_requested) == ("queued", True)


def test_what_has_learnt_nothing_has_nothing_to_keep(jobs: JobStore) -> None:
    learn, paint = jobs.submit(LEARN), jobs.submit(REQUEST)

    with pytest.raises(Conflict, match="not learnt anything"):
        jobs.finish_early(learn.id)
    with pytest.raises(Conflict, match="Only learning"):
        jobs.finish_early(paint.id)


def test_a_job_moves_among_its_like_alone(jobs: JobStore) -> None:
    paints = [jobs.submit(REQUEST).id for _ in range(3)]
    learn = jobs.submit(LEARN).id

    jobs.move(paints[2], paints[0])

    assert [j.id for j in jobs.table.in_state("queued")] == [paints[2], paints[0], paints[1], learn]
    with pytest.raises(Conflict, match="as urgent"):
        jobs.move(learn, paints[0])
    jobs.start(paints[0])
    with pytest.raises(Conflict, match="running"):
        jobs.move(paints[0], None)


def test_a_stall_is_shown_until_there_is_progress(jobs: JobStore, heard: list[JobView]) -> None:
    job = running(jobs)
    jobs.note_stall(job.id, job.fence, is_stalled=True)
    jobs.note_stall(job.id, job.fence, is_stalled=True)
    jobs.record_progress(job.id, job.fence, Progress(step=1))

    assert [view.stalled for view in heard] == [False, False, True, False]


def test_paused_jobs_count_towards_the_limit(jobs: JobStore) -> None:
    for _ in range(3):
        jobs.pause(jobs.submit(REQUEST, most=3).id)

    with pytest.raises(Busy, match="3 jobs wait already"):
        jobs.submit(REQUEST, most=3)
    assert jobs.submit(REQUEST, owner="ann", most=3).view.state == "queued"


def test_resuming_asks_the_limit(jobs: JobStore) -> None:
    first, second = jobs.submit(REQUEST), jobs.submit(LEARN)
    for job in (first, second):
        jobs.pause(job.id)

    assert jobs.resume(first.id, most=1).view.state == "queued"
    assert jobs.resume(first.id, most=1).view.state == "queued"
    with pytest.raises(Busy):
        jobs.resume(second.id, most=1)
    assert jobs.table.get(second.id).view.state == "paused"


def test_a_move_changes_one_job_however_often_it_is_done(jobs: JobStore) -> None:
    ids = [jobs.submit(REQUEST).id for _ in range(4)]
    jobs.move(ids[3], ids[1])
    assert {jobs.table.get(one).place for one in ids[:3]} == {1, 2, 3}

    for _ in range(80):  # more often than a float can be halved
        jobs.move(ids[2], ids[1])
        jobs.move(ids[3], ids[1])

    order = [job.id for job in jobs.table.in_state("queued")]
    assert order == jobs.table.ids(("queued",)) == [ids[0], ids[2], ids[3], ids[1]]


def test_the_heads_of_the_queue_are_enough_to_choose_from(jobs: JobStore) -> None:
    def submit(request: JobRequest, owner: str) -> str:
        return jobs.submit(request, owner=owner).id

    paints = [submit(REQUEST, owner) for owner in ("ann", "ann", "ben", "ben")]
    learns = [submit(LEARN, "ann") for _ in range(3)]

    def heads(each: int, first: tuple[str, ...] = (), without: tuple[str, ...] = ()) -> list[str]:
        return [job.id for job in jobs.table.heads(each, first, without)]

    assert heads(1) == [paints[0], paints[2], learns[0]]
    assert heads(2) == [*paints, *learns[:2]]
    assert heads(1, first=(learns[2],)) == [paints[0], paints[2], learns[0], learns[2]]
    assert heads(1, without=(paints[0], learns[0])) == [paints[1], paints[2], learns[1]]
    assert (jobs.table.has_queued("learn"), jobs.table.has_queued("describe")) == (True, False)
