"""A subject appears once, whatever dies between its rename and the job's commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.types import ImageRef
from modelsheet.files.manifest import MANIFEST_NAME
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import JobStore, StaleReport
from modelsheet.service.queue.publication import Publisher
from modelsheet.subjects.store import SubjectStore
from tests.service.scenarios.live import SHA
from tests.service.subject import stage_subject

REQUEST = LearnRequest(
    name="Hero", class_noun="knight", images=[ImageRef(blob=SHA, width=4, height=4)]
)


class Harness:
    """One data folder, opened again after each death."""

    def __init__(self, data_dir: Path) -> None:
        self.subjects = SubjectStore(data_dir)
        self.jobs = JobStore(data_dir / "ledger.sqlite3", lambda view: None)
        self.publisher = Publisher(data_dir, self.jobs, self.subjects)

    def learnt(self) -> tuple[Job, Path, LearnResult]:
        """Bring a learn job to where its runner has left a subject in staging."""
        job = self.jobs.start(self.jobs.submit(REQUEST).id)
        _, staging = self.publisher.prepare(job)
        stage_subject(staging, job.id)
        result = LearnResult(subject_id=job.id, training_steps=9, best_step=8, seconds=1.0)
        return job, staging, result


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    with closing(harness.jobs):
        yield harness


def test_a_finished_job_and_its_subject_appear(harness: Harness) -> None:
    job, staging, result = harness.learnt()
    harness.publisher.finish(job, result, staging)

    assert harness.jobs.table.get(job.id).view.result == result
    assert [record.id for record in harness.subjects.list()] == [job.id]


def test_death_between_rename_and_commit_ends_in_a_done_job(
    harness: Harness, tmp_path: Path
) -> None:
    job, staging, result = harness.learnt()
    (staging / "result.json").write_text(result.model_dump_json())
    harness.subjects.publish(staging, job.id)
    harness.jobs.close()

    again = Harness(tmp_path)
    again.publisher.recover()

    view = again.jobs.table.get(job.id).view
    again.jobs.close()
    assert (view.state, view.result) == ("done", result)
    assert [record.id for record in again.subjects.list()] == [job.id]


def test_death_before_the_rename_leaves_no_subject_and_a_waiting_job(
    harness: Harness, tmp_path: Path
) -> None:
    job, staging, _ = harness.learnt()
    (staging / MANIFEST_NAME).write_text("{}")
    harness.jobs.close()

    again = Harness(tmp_path)
    again.publisher.recover()

    state = again.jobs.table.get(job.id).view.state
    again.jobs.close()
    assert state == "queued"
    assert again.subjects.list() == []
    assert not staging.exists()


def test_an_earlier_attempt_publishes_nothing(harness: Harness) -> None:
    old, staging, result = harness.learnt()
    harness.jobs.record_loss(old.id, old.fence, "exit status -9")
    harness.jobs.start(old.id)

    with pytest.raises(StaleReport):
        harness.publisher.finish(old, result, staging)
    assert harness.subjects.list() == []


def test_what_is_no_subject_fails_the_job(harness: Harness) -> None:
    job, staging, result = harness.learnt()
    (staging / "subject.json").unlink()

    harness.publisher.finish(job, result, staging)

    view = harness.jobs.table.get(job.id).view
    assert view.state == "failed"
    assert harness.subjects.list() == []


def test_recovery_removes_the_folders_of_jobs_that_are_over(
    harness: Harness, tmp_path: Path
) -> None:
    job, staging, result = harness.learnt()
    harness.publisher.finish(job, result, staging)
    waiting, _, _ = harness.learnt()

    harness.publisher.recover()

    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [waiting.id]
