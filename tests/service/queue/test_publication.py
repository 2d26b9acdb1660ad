"""A subject appears once, whatever dies between its rename and the ledger's commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.types import ImageRef
from modelsheet.files.manifest import MANIFEST_NAME
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import Ledger, StaleReport
from modelsheet.service.queue.publication import Publisher
from modelsheet.subjects.store import SubjectStore
from tests.service.scenarios.live import SHA
from tests.service.subject import stage_subject

REQUEST = LearnRequest(
    name="Hero", class_noun="knight", images=[ImageRef(blob=SHA, width=4, height=4)]
)


class House:
    """One data folder, opened again after each death."""

    def __init__(self, data_dir: Path) -> None:
        self.subjects = SubjectStore(data_dir)
        self.ledger = Ledger(data_dir / "ledger.sqlite3", lambda view: None)
        self.publisher = Publisher(data_dir, self.ledger, self.subjects)

    def learnt(self) -> tuple[Job, Path, LearnResult]:
        """Bring a learn job to where its runner has left a subject in staging."""
        job = self.ledger.start(self.ledger.submit(REQUEST).id)
        _, staging = self.publisher.prepare(job)
        stage_subject(staging, job.id)
        result = LearnResult(subject_id=job.id, training_steps=9, best_step=8, seconds=1.0)
        return job, staging, result


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with closing(house.ledger):
        yield house


def test_a_finished_job_and_its_subject_appear(house: House) -> None:
    job, staging, result = house.learnt()
    house.publisher.finish(job, result, staging)

    assert house.ledger.get(job.id).view.result == result
    assert [record.id for record in house.subjects.list()] == [job.id]


def test_death_between_rename_and_commit_ends_in_a_done_job(house: House, tmp_path: Path) -> None:
    job, staging, result = house.learnt()
    (staging / "result.json").write_text(result.model_dump_json())
    house.subjects.publish(staging, job.id)
    house.ledger.close()

    again = House(tmp_path)
    again.publisher.recover()

    view = again.ledger.get(job.id).view
    again.ledger.close()
    assert (view.state, view.result) == ("done", result)
    assert [record.id for record in again.subjects.list()] == [job.id]


def test_death_before_the_rename_leaves_no_subject_and_a_waiting_job(
    house: House, tmp_path: Path
) -> None:
    job, staging, _ = house.learnt()
    (staging / MANIFEST_NAME).write_text("{}")
    house.ledger.close()

    again = House(tmp_path)
    again.publisher.recover()

    state = again.ledger.get(job.id).view.state
    again.ledger.close()
    assert state == "queued"
    assert again.subjects.list() == []
    assert not staging.exists()


def test_an_earlier_attempt_publishes_nothing(house: House) -> None:
    old, staging, result = house.learnt()
    house.ledger.lose(old.id, old.fence, "exit status -9")
    house.ledger.start(old.id)

    with pytest.raises(StaleReport):
        house.publisher.finish(old, result, staging)
    assert house.subjects.list() == []


def test_what_is_no_subject_fails_the_job(house: House) -> None:
    job, staging, result = house.learnt()
    (staging / "subject.json").unlink()

    house.publisher.finish(job, result, staging)

    view = house.ledger.get(job.id).view
    assert view.state == "failed"
    assert house.subjects.list() == []


def test_recovery_removes_the_folders_of_jobs_that_are_over(house: House, tmp_path: Path) -> None:
    job, staging, result = house.learnt()
    house.publisher.finish(job, result, staging)
    waiting, _, _ = house.learnt()

    house.publisher.recover()

    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [waiting.id]
