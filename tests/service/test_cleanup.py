"""What is thrown away, and what is not."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.learn import LearnRequest
from modelsheet.api.types import ImageRef
from modelsheet.service import cleanup
from modelsheet.service.cleanup import Cleanup
from modelsheet.service.queue.job_store import JobStore
from modelsheet.service.storage.ballast_file import BallastFile
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.subjects.store import SubjectStore

Age = Callable[[str], None]


class Harness:
    def __init__(self, folder: Path) -> None:
        self.blobs = BlobStore(folder / "blobs")
        self.jobs = JobStore(folder / "ledger.sqlite3", lambda view: None)
        self.cleanup = Cleanup(folder, self.jobs.table, self.blobs, SubjectStore(folder))

    def referred(self) -> str:
        """Store a picture that a waiting job needs."""
        blob = self.blobs.write(b"used")
        image = ImageRef(blob=blob, width=1, height=1)
        self.jobs.submit(LearnRequest(name="Hero", class_noun="toy", images=[image]))
        return blob


@pytest.fixture
def harness(tmp_path: Path) -> Iterator[Harness]:
    harness = Harness(tmp_path)
    with closing(harness.jobs):
        yield harness


@pytest.fixture
def age(tmp_path: Path) -> Age:
    """Makes a blob as old as can be."""
    return lambda blob: os.utime(next(tmp_path.rglob(blob)), (0, 0))


def test_old_pictures_go_unless_a_job_needs_them(harness: Harness, age: Age) -> None:
    used, unused, young = (
        harness.referred(),
        harness.blobs.write(b"old"),
        harness.blobs.write(b"new"),
    )
    age(used)
    age(unused)

    harness.cleanup.run()

    assert [harness.blobs.size(blob) for blob in (used, unused, young)] == [4, None, 3]


def test_over_the_quota_unreferred_pictures_go_sooner(
    harness: Harness, age: Age, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_BLOB_QUOTA", 16)
    used, unused = harness.referred(), harness.blobs.write(bytes(20))
    two_hours_ago = time.time() - 7200
    for blob in (used, unused):
        os.utime(next(tmp_path.rglob(blob)), (two_hours_ago, two_hours_ago))

    harness.cleanup.make_room_for(8)

    assert (harness.blobs.size(used), harness.blobs.size(unused)) == (4, None)


def test_the_trash_is_kept_for_a_month(harness: Harness, tmp_path: Path) -> None:
    now = time.time_ns()
    old, young = tmp_path / "trash" / "1-a", tmp_path / "trash" / f"{now}-b"
    for folder in (old, young):
        (folder / "inner").mkdir(parents=True)

    harness.cleanup.run()

    assert (old.exists(), young.exists()) == (False, True)


def test_a_few_damaged_ledgers_are_kept(harness: Harness, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"ledger.sqlite3.damaged-{number}").touch()

    harness.cleanup.run()

    kept = sorted(path.name[-1] for path in tmp_path.glob("*.damaged-*"))
    assert kept == ["2", "3", "4"]


def test_recent_jobs_are_kept_whatever_their_age(harness: Harness) -> None:
    job = harness.jobs.submit(GenerateRequest(prompt="a hill"))
    harness.jobs.cancel(job.id)

    assert harness.jobs.table.delete_finished(older_than_s=0.0, keep=1) == 0
    assert harness.jobs.table.delete_finished(older_than_s=0.0, keep=0) == 1


def test_the_reserve_is_given_up_once_and_made_again(tmp_path: Path) -> None:
    reserve = BallastFile(tmp_path / "reserve")
    reserve.fill()
    size = (tmp_path / "reserve").stat().st_size

    assert size == 512 << 10
    assert reserve.release()
    assert not reserve.release()
    reserve.fill()
    assert (tmp_path / "reserve").stat().st_size == size


def test_what_a_killed_process_left_half_written_goes(harness: Harness, tmp_path: Path) -> None:
    (tmp_path / "subjects" / "a").mkdir(parents=True)
    left = [".tokens.json-1f", ".models.json-2e", "subjects/a/.name.txt-3d"]
    kept = ["tokens.json", "models.json", "subjects/a/name.txt", ".tokens.json-young"]
    for name in (*left, *kept):
        (tmp_path / name).touch()
    for name in (*left, *kept[:3]):
        os.utime(tmp_path / name, (0, 0))

    harness.cleanup.run()

    assert [name for name in left if (tmp_path / name).exists()] == []
    assert [name for name in kept if (tmp_path / name).exists()] == kept
