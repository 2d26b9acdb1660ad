"""What travels with a job to a machine that shares no disk, and what waits there to be fetched."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import JobRequest, Progress
from modelsheet.api.learn import LearnRequest, LearnResult
from modelsheet.api.types import ImageRef
from modelsheet.errors import NotFound
from modelsheet.service.executors.protocol import Finished, JobRun, Progressed
from modelsheet.service.executors.ray.job_context import Outbox
from modelsheet.service.executors.ray.job_files import (
    collect_job_files,
    keep_only,
    read_folder,
    write_files,
)
from modelsheet.service.executors.ray.messages import FROM_ACTOR, CheckpointSaved
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.store import ADAPTER, SubjectStore
from tests.service.scenarios.live import PIXELS, SHA
from tests.service.subject import stage_subject

_IMAGE = ImageRef(blob=SHA, width=4, height=4)
_LEARN = LearnRequest(name="Hero", class_noun="toy", images=[_IMAGE])


def job_run(folder: Path, request: JobRequest) -> JobRun:
    return JobRun(
        job_id="job",
        fence=1,
        owner="ann",
        request=request,
        checkpoint_dir=str(folder / "checkpoint"),
        staging_dir=str(folder / "staging"),
    )


def test_a_job_takes_its_pictures_and_its_checkpoint(tmp_path: Path) -> None:
    BlobStore(tmp_path / "blobs").write(PIXELS)
    write_files(tmp_path / "checkpoint", {"00000010/tensors": b"123"})

    job_files = collect_job_files(job_run(tmp_path, _LEARN), tmp_path)

    assert job_files.files == {f"blobs/{SHA}": PIXELS, "checkpoint/00000010/tensors": b"123"}


def test_a_picture_that_is_gone_is_said_before_anything_travels(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="send it again"):
        collect_job_files(job_run(tmp_path, _LEARN), tmp_path)


def test_painting_takes_the_subjects_it_names_and_learning_the_names_of_all(
    tmp_path: Path,
) -> None:
    BlobStore(tmp_path / "blobs").write(PIXELS)
    store = SubjectStore(tmp_path)
    staging = store.stage("a1")
    stage_subject(staging, "a1")
    record = store.publish(staging, "a1", "ann")
    away = tmp_path / "away"

    painting = collect_job_files(
        job_run(tmp_path, GenerateRequest(prompt=f"@{record.handle}")), tmp_path
    )
    learning = collect_job_files(job_run(tmp_path, _LEARN), tmp_path)

    assert painting.needs.adapters == (record.adapter_sha256,)
    assert painting.needs.base_model == record.base_model
    for files in painting.subjects.values():
        write_files(away / "whole", files)
    for files in learning.subjects.values():
        write_files(away / "outline", files)
    assert SubjectStore(away / "whole").adapter_path(record.id).name == ADAPTER
    assert SubjectStore(away / "outline").list() == [record]


@pytest.mark.parametrize("name", ["../out", "/etc/out", "a/../../out"])
def test_what_comes_back_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="no path below"):
        write_files(tmp_path / "in", {name: b""})


def test_a_checkpoint_replaces_the_one_before(tmp_path: Path) -> None:
    write_files(tmp_path, {"1/a": b"old", "2/a": b"kept"})
    write_files(tmp_path, {"3/a": b"new"})

    keep_only(tmp_path, ["2/a", "3/a"])

    assert read_folder(tmp_path) == {"2/a": b"kept", "3/a": b"new"}
    assert not (tmp_path / "1").exists()


def test_news_that_nobody_fetched_is_replaced_by_newer_and_no_file_is_lost() -> None:
    outbox = Outbox()
    outbox.put(advanced(1), {"blobs/x": b"preview"})
    outbox.put(saved("a", "b"), {"a": b"1", "b": b"1"})
    outbox.put(advanced(2), {})
    outbox.put(saved("b", "c"), {"c": b"2"})

    items = outbox.read(after=0, wait_s=0.0)

    said = [FROM_ACTOR.validate_json(item[1]) for item in items]
    assert said == [advanced(2), saved("b", "c")]
    assert [item[2] for item in items] == [{"blobs/x": b"preview"}, {"b": b"1", "c": b"2"}]


def test_the_last_word_waits_for_a_driver_that_writes_it_down() -> None:
    outbox = Outbox()
    result = LearnResult(subject_id="job", training_steps=1, best_step=1, seconds=0.0)
    outbox.put(advanced(1), {})
    outbox.put(Finished(job_id="job", fence=1, result=result), {"staging/a": b"1"})
    (_, (number, _, _)) = outbox.read(after=0, wait_s=0.0)

    assert outbox.read(after=number, wait_s=0.0) == []
    assert [item[2] for item in outbox.read(after=0, wait_s=0.0)] == [{"staging/a": b"1"}]


def advanced(step: int) -> Progressed:
    return Progressed(job_id="job", fence=1, progress=Progress(step=step))


def saved(*names: str) -> CheckpointSaved:
    return CheckpointSaved(job_id="job", fence=1, names=list(names))
