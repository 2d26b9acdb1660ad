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
from modelsheet.errors import DiskFull
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


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock this many days ahead of the true one."""
    now = time.time()

    def set_clock(days: float) -> None:
        monkeypatch.setattr(time, "time", lambda: now + days * 86_400)
        monkeypatch.setattr(time, "time_ns", lambda: int((now + days * 86_400) * 1e9))

    return set_clock


def deleted(harness: Harness, folder: Path) -> tuple[Path, str]:
    """Leave a subject in the trash and a blob that nothing refers to."""
    subject = folder / "trash" / f"{time.time_ns()}-b"
    subject.mkdir(parents=True)
    return subject, harness.blobs.write(b"unused")


def test_a_clock_a_year_ahead_empties_nothing(
    harness: Harness, tmp_path: Path, at: Callable[[float], None]
) -> None:
    subject, blob = deleted(harness, tmp_path)
    harness.cleanup.run()
    job = harness.jobs.submit(GenerateRequest(prompt="a hill"))
    harness.jobs.cancel(job.id)

    for days in (365, 365.1, 368):  # each a start of the service
        at(days)
        Cleanup(tmp_path, harness.jobs.table, harness.blobs, SubjectStore(tmp_path)).run()
    at(0)  # it is right again
    Cleanup(tmp_path, harness.jobs.table, harness.blobs, SubjectStore(tmp_path)).run()

    assert subject.exists()
    assert harness.blobs.size(blob) == 6


def test_the_first_start_with_a_wrong_clock_empties_nothing(
    harness: Harness, tmp_path: Path, at: Callable[[float], None]
) -> None:
    subject, blob = deleted(harness, tmp_path)

    at(365)
    Cleanup(tmp_path, harness.jobs.table, harness.blobs, SubjectStore(tmp_path)).run()

    assert (subject.exists(), harness.blobs.size(blob)) == (True, 6)


def test_after_a_week_off_and_a_week_of_use_old_things_go(
    harness: Harness, tmp_path: Path, at: Callable[[float], None]
) -> None:
    subject, blob = deleted(harness, tmp_path)
    harness.cleanup.run()

    kept = []
    for days in (40, 43, 46, 47.5):
        at(days)
        harness.cleanup.run()
        kept.append((subject.exists(), harness.blobs.size(blob)))

    assert kept == [(True, 6), (True, 6), (True, 6), (False, None)]


def test_what_was_deleted_while_the_clock_was_ahead_goes_in_time(
    harness: Harness, tmp_path: Path, at: Callable[[float], None]
) -> None:
    at(365)
    deleted(harness, tmp_path)
    at(0)
    os.utime(next((tmp_path / "blobs").rglob("*/*/*")), (time.time() + 3e7,) * 2)

    for days in range(0, 40, 4):
        at(days)
        harness.cleanup.run()

    assert list((tmp_path / "trash").iterdir()) == []
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_full_disk_sweeps_ever_younger_pictures(
    harness: Harness, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used = harness.referred()
    blobs = {age_s: harness.blobs.write(bytes([age_s % 251])) for age_s in (5, 700, 900, 4000)}
    for age_s, blob in {**blobs, 90_000: used}.items():
        os.utime(next(tmp_path.rglob(blob)), (time.time() - age_s,) * 2)

    def usage(path: Path) -> cleanup.shutil._ntuple_diskusage:
        left = sum(harness.blobs.size(blob) is not None for blob in blobs.values())
        return cleanup.shutil._ntuple_diskusage(1 << 30, 0, (5 - left) * (10 << 20))

    monkeypatch.setattr(cleanup.shutil, "disk_usage", usage)
    harness.cleanup.make_room_for(4 << 20)  # 20 MiB are asked for, and 10 are free
    first = [age_s for age_s, blob in blobs.items() if harness.blobs.size(blob) is not None]
    with pytest.raises(DiskFull):
        harness.cleanup.make_room_for(30 << 20)  # just after: it does not look again
    monkeypatch.setattr(cleanup, "_SQUEEZE_INTERVAL_S", 0.0)
    with pytest.raises(DiskFull):
        harness.cleanup.make_room_for(30 << 20)
    second = [age_s for age_s, blob in blobs.items() if harness.blobs.size(blob) is not None]

    assert (first, second) == ([5, 700, 900], [5])
    assert harness.blobs.size(used) is not None


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
