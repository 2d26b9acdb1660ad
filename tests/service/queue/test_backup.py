"""A job database that was damaged, lost or of an earlier version: no job is lost with it."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GenerateResult
from modelsheet.api.learn import LearnRequest
from modelsheet.api.types import ImageRef
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import JobStore
from tests.service.scenarios.live import SHA

PAINT = GenerateRequest(prompt="a hill")
LEARN = LearnRequest(name="Hero", class_noun="toy", images=[ImageRef(blob=SHA, width=4, height=4)])
SCHEMA_1 = """
CREATE TABLE jobs (position INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
 kind TEXT NOT NULL, title TEXT NOT NULL, priority INTEGER NOT NULL, state TEXT NOT NULL,
 request TEXT NOT NULL, idempotency_key TEXT UNIQUE, attempt INTEGER NOT NULL DEFAULT 1,
 fence INTEGER NOT NULL DEFAULT 1, cancel_requested INTEGER NOT NULL DEFAULT 0,
 pause_requested INTEGER NOT NULL DEFAULT 0, progress TEXT, result TEXT, error TEXT,
 created REAL NOT NULL, started REAL, finished REAL);
CREATE INDEX jobs_by_state ON jobs (state, priority DESC, position);
CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, job_id TEXT NOT NULL,
 state TEXT NOT NULL, attempt INTEGER NOT NULL, fence INTEGER NOT NULL, at REAL NOT NULL);
PRAGMA user_version=1;
"""


def opened(folder: Path) -> closing[JobStore]:
    return closing(JobStore(folder / "ledger.sqlite3", lambda view: None))


def durable(jobs: list[Job]) -> list[tuple[object, ...]]:
    """What of the jobs must outlive the database."""
    return [
        (j.id, j.request, j.fence, j.priority, j.view.state, j.view.owner, j.view.result)
        for j in jobs
    ]


def lives(folder: Path) -> list[tuple[object, ...]]:
    """Leave a job in each state."""
    with opened(folder) as jobs:
        done = jobs.start(jobs.submit(PAINT, "key", "ann").id)
        jobs.finish(done.id, done.fence, GenerateResult(images=[]))
        jobs.pause(jobs.submit(LEARN).id)
        jobs.cancel(jobs.submit(LEARN).id)
        jobs.start(jobs.submit(LEARN).id)
        first, second = jobs.submit(LEARN), jobs.submit(LEARN, owner="ann")
        jobs.move(second.id, first.id)
        return durable(jobs.table.newest())


def lose(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zero_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:8192] = bytes(4096)
    path.write_bytes(content)


def change_a_request(path: Path) -> None:
    """As a bit does that flips in the middle of a text: SQLite itself sees nothing wrong."""
    content = path.read_bytes()
    assert b"Hero" in content
    path.write_bytes(content.replace(b"Hero", b"Hern"))


@pytest.mark.parametrize("damage", [lose, cut, zero_a_page, change_a_request])
def test_a_damaged_ledger_is_made_anew_with_every_job(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    before = lives(tmp_path)
    damage(tmp_path / "ledger.sqlite3")

    with opened(tmp_path) as jobs:
        assert durable(jobs.table.newest()) == before
        assert jobs.submit(PAINT, "key", "ann").view.state == "done"
        waiting = [job.id for job in jobs.table.in_state("queued")]
    assert len(list(tmp_path.glob("*.damaged-*"))) == (damage is not lose)
    assert waiting == [before[0][0], before[1][0]]


@pytest.mark.parametrize("seed", range(8))
def test_flipped_bits_cost_no_job(tmp_path: Path, seed: int) -> None:
    before = lives(tmp_path)
    path, chance = tmp_path / "ledger.sqlite3", random.Random(seed)
    content = bytearray(path.read_bytes())
    for _ in range(40):
        place = chance.randrange(100, len(content))
        content[place] ^= 1 << chance.randrange(8)
    path.write_bytes(content)

    with opened(tmp_path) as jobs:
        assert durable(jobs.table.newest()) == before


@pytest.mark.parametrize("part", range(4))
def test_a_flipped_bit_anywhere_costs_no_job(tmp_path: Path, part: int) -> None:
    before = lives(tmp_path)
    with opened(tmp_path) as jobs:
        listed = listed_titles(jobs)
    path = tmp_path / "ledger.sqlite3"
    content = path.read_bytes()
    header, rest = range(800), range(800, len(content) * 8)
    used = [bit for bit in rest if content[bit // 8]]

    for bit in (*header[part::4], *used[part :: len(used) // 80]):
        damaged = bytearray(content)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        for start in ("first", "second"):
            with opened(tmp_path) as jobs:
                assert durable(jobs.table.newest()) == before, (bit, start)
                assert listed_titles(jobs) == listed, (bit, start)
                jobs.move(before[0][0], None)  # it can be written


def listed_titles(jobs: JobStore) -> list[str]:
    return [view.title for view in jobs.table.page(None, 1 << 62, 50)[0]]


def test_a_damaged_record_is_left_out(tmp_path: Path) -> None:
    before = lives(tmp_path)
    record = tmp_path / "job-records" / f"{before[0][0]}.json"
    record.write_text(record.read_text().replace("Hero", "Hern"))
    (tmp_path / "ledger.sqlite3").unlink()

    with opened(tmp_path) as jobs:
        assert durable(jobs.table.newest()) == before[1:]


def test_a_ledger_of_schema_1_is_migrated_after_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    with closing(sqlite3.connect(path)) as old:
        old.executescript(SCHEMA_1)
        old.execute(
            "INSERT INTO jobs (id, kind, title, priority, state, request, created)"
            " VALUES ('a', 'learn', 'Hero', 10, 'queued', ?, 1.0)",
            (LEARN.model_dump_json(),),
        )
        old.commit()

    with opened(tmp_path) as jobs:
        assert [(j.id, j.request, j.view.owner) for j in jobs.table.newest()] == [("a", LEARN, "")]
        assert jobs.move("a", None).place == 1

    with closing(sqlite3.connect(tmp_path / "ledger.sqlite3.schema-1")) as copy:
        assert copy.execute("PRAGMA user_version").fetchone() == (1,)
        assert copy.execute("SELECT id FROM jobs").fetchall() == [("a",)]
    path.unlink()
    with opened(tmp_path) as jobs:  # it got its backup by the migration
        assert [job.id for job in jobs.table.newest()] == ["a"]


def test_old_jobs_are_forgotten_with_their_records(tmp_path: Path) -> None:
    lives(tmp_path)
    with opened(tmp_path) as jobs:
        over = {job.id for job in jobs.table.newest() if job.view.state in ("done", "cancelled")}

        assert jobs.table.delete_finished(older_than_s=0.0, keep=0) == len(over) == 2
        left = {job.id for job in jobs.table.newest()}
    assert left.isdisjoint(over)
    assert {path.stem for path in (tmp_path / "job-records").iterdir()} == left
