"""The ledger's promises: final states are final, old attempts are refused, nothing is forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.jobs import JobError, JobView, Progress
from modelsheet.api.learn import LearnRequest, LikenessPoint
from modelsheet.api.types import ImageRef
from modelsheet.errors import Conflict, IdempotencyConflict, ModelsheetError, NotFound
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import Ledger, StaleReport
from tests.service.scenarios.live import SHA

REQUEST = GenerateRequest(prompt="a hill")
RESULT = GenerateResult(images=[])
FULL = JobError(code="disk-full", sentence="The disk is full.")


@pytest.fixture
def heard() -> list[JobView]:
    return []


@pytest.fixture
def ledger(tmp_path: Path, heard: list[JobView]) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.sqlite3", heard.append, save_interval_s=0.0)) as ledger:
        yield ledger


def running(ledger: Ledger) -> Job:
    return ledger.start(ledger.submit(REQUEST).id)


def test_every_change_is_heard_in_order(ledger: Ledger, heard: list[JobView]) -> None:
    job = running(ledger)
    ledger.advance(job.id, job.fence, Progress(step=1))
    ledger.finish(job.id, job.fence, RESULT)

    assert [(v.state, v.progress.step) for v in heard] == [
        ("queued", 0),
        ("running", 0),
        ("running", 1),
        ("done", 1),
    ]


def test_what_is_committed_is_there_after_a_restart(tmp_path: Path) -> None:
    with closing(Ledger(tmp_path / "l", lambda view: None, save_interval_s=0.0)) as ledger:
        job = running(ledger)
        ledger.advance(job.id, job.fence, Progress(step=7))

    with closing(Ledger(tmp_path / "l", lambda view: None)) as again:
        assert again.get(job.id).view.progress.step == 7
        assert again.get(job.id).request == REQUEST


def test_losing_the_worker_costs_an_attempt_and_raises_the_fence(ledger: Ledger) -> None:
    job = running(ledger)
    lost = ledger.lose(job.id, job.fence, "exit status -9")

    assert (lost.view.state, lost.view.attempt, lost.fence) == ("queued", 2, job.fence + 1)


def test_the_third_crash_is_the_end(ledger: Ledger) -> None:
    job = running(ledger)
    for _ in range(2):
        ledger.lose(job.id, job.fence, "exit status -9")
        job = ledger.start(job.id)

    lost = ledger.lose(job.id, job.fence, "exit status -9")

    assert lost.view.state == "failed"
    assert lost.view.error is not None
    assert lost.view.error.code == "worker-crashed"


def test_stepping_aside_costs_no_attempt_and_keeps_the_progress(ledger: Ledger) -> None:
    job = running(ledger)
    ledger.advance(job.id, job.fence, Progress(step=7, total=9))
    aside = ledger.step_aside(job.id, job.fence)

    assert (aside.view.state, aside.view.attempt) == ("queued", 1)
    assert aside.view.progress.step == 7


def test_an_earlier_attempt_changes_nothing(ledger: Ledger) -> None:
    old = running(ledger)
    ledger.lose(old.id, old.fence, "exit status -9")
    new = ledger.start(old.id)

    with pytest.raises(StaleReport):
        ledger.finish(old.id, old.fence, RESULT)
    with pytest.raises(StaleReport):
        ledger.advance(old.id, old.fence, Progress(step=99))
    assert ledger.get(new.id) == new


def test_a_waiting_job_is_cancelled_at_once_a_running_one_is_asked(ledger: Ledger) -> None:
    waiting, started = ledger.submit(REQUEST), running(ledger)

    assert ledger.cancel(waiting.id).view.state == "cancelled"
    assert ledger.cancel(started.id).cancel_requested
    assert ledger.cancelled(started.id, started.fence).view.state == "cancelled"


@pytest.mark.parametrize("ask", ["lose", "step_aside", "hold"])
def test_a_job_to_be_cancelled_does_not_come_back(ledger: Ledger, ask: str) -> None:
    job = running(ledger)
    ledger.cancel(job.id)
    arguments = {"lose": ("reason",), "step_aside": (), "hold": (FULL,)}[ask]

    assert getattr(ledger, ask)(job.id, job.fence, *arguments).view.state == "cancelled"


def test_a_running_job_pauses_when_it_steps_aside(ledger: Ledger) -> None:
    job = running(ledger)
    ledger.pause(job.id)

    assert ledger.step_aside(job.id, job.fence).view.state == "paused"
    assert ledger.resume(job.id).view.state == "queued"
    assert ledger.start(job.id).view.state == "running"


def test_a_full_disk_pauses_with_a_sentence_until_resumed(ledger: Ledger) -> None:
    job = running(ledger)

    assert ledger.hold(job.id, job.fence, FULL).view.error == FULL
    assert ledger.resume(job.id).view.error is None


def test_curve_and_previews_stay_when_a_step_brings_none(ledger: Ledger) -> None:
    job = running(ledger)
    point = LikenessPoint(step=1, subject_fidelity=0, prompt_fidelity=0, prior_drift=0, score=0)
    ledger.advance(job.id, job.fence, Progress(step=1, curve=[point]))
    ledger.advance(job.id, job.fence, Progress(step=2))

    assert ledger.get(job.id).view.progress == Progress(step=2, curve=[point])


def test_a_key_belongs_to_one_request(ledger: Ledger) -> None:
    first = ledger.submit(REQUEST, "key")

    assert ledger.submit(REQUEST, "key") == first
    with pytest.raises(IdempotencyConflict):
        ledger.submit(GenerateRequest(prompt="a lake"), "key")
    assert len(ledger.newest()) == 1


def test_a_job_that_is_over_stays_so(ledger: Ledger) -> None:
    job = running(ledger)
    ledger.finish(job.id, job.fence, RESULT)

    for ask in (ledger.cancel, ledger.pause, ledger.resume, ledger.start):
        with pytest.raises(Conflict):
            ask(job.id)
    assert ledger.get(job.id).view.result == RESULT


def test_an_unknown_job_is_not_found(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.get("nothing")


def test_a_newer_schema_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as newer:
        newer.execute("PRAGMA user_version=99")
    before = path.read_bytes()

    with pytest.raises(ModelsheetError, match="newer Modelsheet"):
        Ledger(path, lambda view: None)
    assert path.read_bytes() == before


def test_a_damaged_ledger_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    damaged = b"SQLite format 3\0" + bytes(range(256)) * 64
    path.write_bytes(damaged)

    with closing(Ledger(path, lambda view: None)) as ledger:
        assert ledger.newest() == []
    (aside,) = tmp_path.glob("*.damaged-*")
    assert aside.read_bytes() == damaged


LEARN = LearnRequest(name="Hero", class_noun="toy", images=[ImageRef(blob=SHA, width=4, height=4)])


def test_learning_is_asked_to_finish_and_a_waiting_one_is_queued_for_it(ledger: Ledger) -> None:
    job = ledger.start(ledger.submit(LEARN).id)
    ledger.advance(job.id, job.fence, Progress(step=3))

    assert ledger.finish_early(job.id).finish_requested
    ledger.pause(job.id)
    ledger.step_aside(job.id, job.fence)
    again = ledger.finish_early(job.id)

    assert (again.view.state, again.finish_requested) == ("queued", True)


def test_what_has_learnt_nothing_has_nothing_to_keep(ledger: Ledger) -> None:
    learn, paint = ledger.submit(LEARN), ledger.submit(REQUEST)

    with pytest.raises(Conflict, match="not learnt anything"):
        ledger.finish_early(learn.id)
    with pytest.raises(Conflict, match="Only learning"):
        ledger.finish_early(paint.id)


def test_a_job_moves_among_its_like_alone(ledger: Ledger) -> None:
    paints = [ledger.submit(REQUEST).id for _ in range(3)]
    learn = ledger.submit(LEARN).id

    ledger.move(paints[2], paints[0])

    assert [j.id for j in ledger.in_state("queued")] == [paints[2], paints[0], paints[1], learn]
    with pytest.raises(Conflict, match="as urgent"):
        ledger.move(learn, paints[0])
    ledger.start(paints[0])
    with pytest.raises(Conflict, match="running"):
        ledger.move(paints[0], None)


def test_a_stall_is_shown_until_there_is_progress(ledger: Ledger, heard: list[JobView]) -> None:
    job = running(ledger)
    ledger.note_stall(job.id, job.fence, is_stalled=True)
    ledger.note_stall(job.id, job.fence, is_stalled=True)
    ledger.advance(job.id, job.fence, Progress(step=1))

    assert [view.stalled for view in heard] == [False, False, True, False]
