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
from modelsheet.service.cleanup import Housekeeping
from modelsheet.service.queue.job_store import Ledger
from modelsheet.service.storage.blobs import BlobStore
from modelsheet.service.storage.disk_reserve import Reserve
from modelsheet.subjects.store import SubjectStore

Age = Callable[[str], None]


class House:
    def __init__(self, folder: Path) -> None:
        self.blobs = BlobStore(folder / "blobs")
        self.ledger = Ledger(folder / "ledger.sqlite3", lambda view: None)
        self.keeping = Housekeeping(folder, self.ledger, self.blobs, SubjectStore(folder))

    def referred(self) -> str:
        """Store a picture that a waiting job needs."""
        blob = self.blobs.write(b"used")
        image = ImageRef(blob=blob, width=1, height=1)
        self.ledger.submit(LearnRequest(name="Hero", class_noun="toy", images=[image]))
        return blob


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    with closing(house.ledger):
        yield house


@pytest.fixture
def age(tmp_path: Path) -> Age:
    """Makes a blob as old as can be."""
    return lambda blob: os.utime(next(tmp_path.rglob(blob)), (0, 0))


def test_old_pictures_go_unless_a_job_needs_them(house: House, age: Age) -> None:
    used, unused, young = house.referred(), house.blobs.write(b"old"), house.blobs.write(b"new")
    age(used)
    age(unused)

    house.keeping.tidy()

    assert [house.blobs.size(blob) for blob in (used, unused, young)] == [4, None, 3]


def test_over_the_quota_unreferred_pictures_go_sooner(
    house: House, age: Age, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cleanup, "_BLOB_QUOTA", 16)
    used, unused = house.referred(), house.blobs.write(bytes(20))
    two_hours_ago = time.time() - 7200
    for blob in (used, unused):
        os.utime(next(tmp_path.rglob(blob)), (two_hours_ago, two_hours_ago))

    house.keeping.make_room_for(8)

    assert (house.blobs.size(used), house.blobs.size(unused)) == (4, None)


def test_the_trash_is_kept_for_a_month(house: House, tmp_path: Path) -> None:
    now = time.time_ns()
    old, young = tmp_path / "trash" / "1-a", tmp_path / "trash" / f"{now}-b"
    for folder in (old, young):
        (folder / "inner").mkdir(parents=True)

    house.keeping.tidy()

    assert (old.exists(), young.exists()) == (False, True)


def test_a_few_damaged_ledgers_are_kept(house: House, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"ledger.sqlite3.damaged-{number}").touch()

    house.keeping.tidy()

    kept = sorted(path.name[-1] for path in tmp_path.glob("*.damaged-*"))
    assert kept == ["2", "3", "4"]


def test_recent_jobs_are_kept_whatever_their_age(house: House) -> None:
    job = house.ledger.submit(GenerateRequest(prompt="a hill"))
    house.ledger.cancel(job.id)

    assert house.ledger.forget(older_than_s=0.0, keep=1) == 0
    assert house.ledger.forget(older_than_s=0.0, keep=0) == 1


def test_the_reserve_is_given_up_once_and_made_again(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "reserve")
    reserve.fill()
    size = (tmp_path / "reserve").stat().st_size

    assert size == 512 << 10
    assert reserve.release()
    assert not reserve.release()
    reserve.fill()
    assert (tmp_path / "reserve").stat().st_size == size
