"""Read, insert and update the rows of jobs in SQLite, without the rules of `job_store`."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from modelsheet.api.jobs import TERMINAL_STATES, JobRequest, JobState, JobView, Progress
from modelsheet.errors import NotFound
from modelsheet.service.queue.backup import JobBackup, check_rows
from modelsheet.service.queue.database import open_database, open_reader
from modelsheet.service.queue.job import (
    PRIORITIES,
    Job,
    JobKind,
    Value,
    abridged,
    job_from_row,
    title_of,
)

_log = logging.getLogger(__name__)
_EVENTS_KEPT = 10_000
_LISTED = 500  # jobs
_SHA256 = re.compile(r"[0-9a-f]{64}")


class JobTable:
    """The table of jobs: one connection that writes, under one lock, and one that reads, so that
    who only reads does not wait until a transaction is on the disk. `on_change` is called with each
    committed change, in order, still under the lock.
    """

    def __init__(
        self, path: Path, on_change: Callable[[JobView], None], save_interval_s: float
    ) -> None:
        self._backup = JobBackup(path.with_name("job-records"))
        self._database = open_database(path, check=check_rows, restore=self._backup.restore)
        self._on_change = on_change
        self._save_interval_s = save_interval_s
        self._lock = threading.RLock()
        self._writer: int | None = None  # the thread inside a transaction
        self._reader = open_reader(path)
        self._reader_lock = threading.Lock()
        self._progress: dict[str, Progress] = {}  # newer than the rows'
        self._saved_at: dict[str, float] = {}
        self._changed: dict[str, Progress | None] = {}
        self._stalled: set[str] = set()
        self._backup.align(self._database)
        self._abridge_finished()

    def close(self) -> None:
        with self._lock, self._reader_lock:
            self._database.close()
            self._reader.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all changes made inside, or none; `on_change` is called after the commit. Does not
        nest.
        """
        with self._lock:
            self._changed = {}
            self._database.execute("BEGIN IMMEDIATE")
            self._writer = threading.get_ident()
            try:
                yield
                for job_id in self._changed:
                    self._backup.write(self._database, job_id)
                self._database.execute("COMMIT")
            except BaseException:  # raised again, but half a change is never committed
                if self._database.in_transaction:
                    self._database.execute("ROLLBACK")
                raise
            finally:
                self._writer = None
            for job_id, progress in self._changed.items():
                if progress is not None:
                    self._progress[job_id] = progress
                self._announce(job_id)

    def get(self, job_id: str) -> Job:
        """Return a job. Raises NotFound: no such job."""
        found = self._select("WHERE id = ?", job_id)
        if not found:
            raise NotFound(f"There is no job {job_id}; list the jobs to see those there are.")
        return found[0]

    def by_key(self, idempotency_key: str) -> Job | None:
        """Return the job that was submitted with a key."""
        found = self._select("WHERE idempotency_key = ?", idempotency_key)
        return found[0] if found else None

    def newest(self) -> list[Job]:
        """Return the newest jobs, newest first; at most 500."""
        return self._select("ORDER BY position DESC LIMIT ?", _LISTED)

    def page(self, owner: str | None, before: int, count: int) -> tuple[list[JobView], int]:
        """Return the newest jobs of an owner, or of all of them, before a position, abridged and
        newest first; and the position to go on from, 0 at the end.
        """
        rows = self._rows(
            "SELECT position, id, abridged FROM jobs WHERE position < ?1"
            " AND (?2 IS NULL OR owner = ?2) ORDER BY position DESC LIMIT ?3",
            before,
            owner,
            count + 1,
        )
        views = [
            JobView.model_validate_json(row["abridged"])
            if row["abridged"]
            else abridged(self.get(row["id"]).view)
            for row in rows[:count]
        ]
        return views, rows[count - 1]["position"] if len(rows) > count else 0

    def heads(
        self, each: int, first: Collection[str] = (), without: Collection[str] = ()
    ) -> list[Job]:
        """Return the next `each` queued jobs of each owner and priority, and the queued ones among
        `first`, in the order in which they should run; `without` are passed over.
        """
        return self._select(
            "WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER"
            " (PARTITION BY owner, priority ORDER BY place) AS number FROM jobs"
            " WHERE state = 'queued' AND id NOT IN (SELECT value FROM json_each(?)))"
            " WHERE number <= ? OR id IN (SELECT value FROM json_each(?)))"
            " ORDER BY priority DESC, place",
            json.dumps(list(without)),
            each,
            json.dumps(list(first)),
        )

    def in_state(self, state: JobState) -> list[Job]:
        """Return the jobs in a state, in the order in which they should run."""
        return self._select("WHERE state = ? ORDER BY priority DESC, place", state)

    def has_queued(self, kind: JobKind) -> bool:
        """Return True if a job of this kind is queued."""
        query = "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 'queued' AND kind = ?)"
        return bool(self._value(query, kind))

    def ids(self, states: tuple[JobState, ...], owner: str | None = None) -> list[str]:
        """Return the ids of the jobs in any of the states, in the order in which they should run,
        without reading the rest of them.
        """
        marks = ", ".join("?" * len(states))
        query = (
            f"SELECT id FROM jobs WHERE state IN ({marks})"  # nosec B608 # question marks
            " AND coalesce(?, owner) = owner ORDER BY priority DESC, place"
        )
        return [row["id"] for row in self._rows(query, *states, owner)]

    def timings(self) -> list[sqlite3.Row]:
        """Return kind, state, attempt and times of every job, the oldest first."""
        return self._rows(
            "SELECT kind, state, attempt, created, started, finished FROM jobs ORDER BY created"
        )

    def blobs_in_use(self) -> set[str]:
        """Return the sha256 of every blob in a job's request, result or progress."""
        query = "SELECT request || coalesce(result, '') || coalesce(progress, '') FROM jobs"
        with self._lock:
            rows = self._database.execute(query)  # one by one: all of them may be long
            return {sha256 for row in rows for sha256 in _SHA256.findall(row[0])}

    def insert(self, request: JobRequest, idempotency_key: str | None, owner: str) -> Job:
        """Insert a queued job; inside a transaction."""
        job_id = str(uuid.uuid4())
        self._database.execute(
            "INSERT INTO jobs (id, kind, title, priority, place, owner, state, request,"
            " idempotency_key, created)"
            " SELECT ?, ?, ?, ?, coalesce(max(place), 0) + 1, ?, 'queued', ?, ?, ? FROM jobs",
            (
                job_id,
                request.kind,
                title_of(request),
                PRIORITIES[request.kind],
                owner,
                request.model_dump_json(),
                idempotency_key,
                time.time(),
            ),
        )
        return self._note(job_id, None)

    def update(
        self, job: Job, state: JobState, progress: Progress | None = None, **columns: Value
    ) -> Job:
        """Update a job that was read in this transaction, and insert the event of the change."""
        shown = progress or job.view.progress
        values: dict[str, Value] = {**columns, "state": state, "progress": shown.model_dump_json()}
        settings = ", ".join(f"{column} = ?" for column in values)
        changed = self._database.execute(
            f"UPDATE jobs SET {settings}"  # nosec B608 # names of our own columns
            " WHERE id = ? AND state = ? AND fence = ?",
            (*values.values(), job.id, job.view.state, job.fence),
        )
        assert changed.rowcount == 1, "the job was not read in this transaction"
        updated = self._note(job.id, shown)
        if state in TERMINAL_STATES:
            self._store_abridged(updated.view)
        return updated

    def place_before(self, job: Job, other: Job | None) -> float:
        """Return a place right before another job, or behind all; inside a transaction."""
        if other is None:
            query = "SELECT max(place) FROM jobs WHERE state = 'queued' AND priority = ?"
            is_last = self._value(query, job.priority) == job.place
            return job.place if is_last else float(self._value("SELECT max(place) + 1 FROM jobs"))
        query = "SELECT max(place) FROM jobs WHERE priority = ? AND place < ? AND id != ?"
        for _ in range(2):
            before = self._value(query, other.priority, other.place, job.id)
            low = other.place - 1 if before is None else float(before)
            place = (low + other.place) / 2
            if low < place < other.place:
                return place
            self._spread(other)  # the two are as close as numbers can be
            other = self.get(other.id)
        raise AssertionError("there is room between two places that were spread")

    def delete_finished(self, older_than_s: float, keep: int) -> int:
        """Delete jobs that ended so long ago, except the `keep` newest; return how many."""
        over = tuple(sorted(TERMINAL_STATES))
        with self.transaction():
            removed = self._database.execute(
                "DELETE FROM jobs WHERE state IN (?, ?, ?) AND finished < ? AND position NOT IN"
                " (SELECT position FROM jobs ORDER BY position DESC LIMIT ?)",
                (*over, time.time() - older_than_s, keep),
            ).rowcount
            self._database.execute(
                "DELETE FROM events WHERE seq <= (SELECT coalesce(max(seq), 0) FROM events) - ?",
                (_EVENTS_KEPT,),
            )
        self._backup.align(self._database)
        return removed

    def note_progress(self, job: Job, progress: Progress) -> None:
        """Keep progress in memory and announce it; write it at most every `save_interval_s`."""
        with self._lock:
            self._progress[job.id] = progress
            self._stalled.discard(job.id)
            if time.monotonic() - self._saved_at.get(job.id, 0.0) >= self._save_interval_s:
                self._saved_at[job.id] = time.monotonic()
                self._save_progress(job.id, progress)
            self._announce(job.id)

    def note_stall(self, job: Job, is_stalled: bool) -> None:
        """Mark a job as stalled, or as no longer stalled."""
        with self._lock:
            if is_stalled != (job.id in self._stalled):
                (self._stalled.add if is_stalled else self._stalled.discard)(job.id)
                self._announce(job.id)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold the lock, so that several reads are consistent."""
        with self._lock:
            yield

    def _value(self, query: str, *values: Value) -> Any:  # Any: what SQLite has there
        return self._rows(query, *values)[0][0]

    def _spread(self, first: Job) -> None:
        """Move a job and all behind it back by one place, to make room before it."""
        for job in self._select("WHERE priority = ? AND place >= ?", first.priority, first.place):
            if job.view.state not in TERMINAL_STATES:
                self.update(job, job.view.state, place=job.place + 1)

    def _store_abridged(self, view: JobView) -> None:
        self._database.execute(
            "UPDATE jobs SET abridged = ? WHERE id = ?",
            (abridged(view).model_dump_json(), view.id),
        )

    def _abridge_finished(self) -> None:
        """Fill the abridged views that a restored backup or an earlier version left out."""
        found = self._database.execute(
            "SELECT id FROM jobs WHERE state IN (?, ?, ?) AND abridged IS NULL",
            tuple(sorted(TERMINAL_STATES)),
        ).fetchall()
        if found:
            with self.transaction():
                for row in found:
                    self._store_abridged(self.get(row["id"]).view)

    def _select(self, clause: str, *values: Value) -> list[Job]:
        query = f"SELECT * FROM jobs {clause}"  # nosec B608 # a text of this file
        return [self._job(row) for row in self._rows(query, *values)]

    def _rows(self, query: str, *values: Value) -> list[sqlite3.Row]:
        """Return the rows of a query, with its own changes to the thread inside a transaction."""
        if self._writer == threading.get_ident():
            return self._database.execute(query, values).fetchall()
        with self._reader_lock:
            return self._reader.execute(query, values).fetchall()

    def _job(self, row: sqlite3.Row) -> Job:
        is_ours = self._writer == threading.get_ident()
        changed = self._changed.get(row["id"]) if is_ours else None
        progress = changed or self._progress.get(row["id"])
        return job_from_row(row, progress, row["id"] in self._stalled)

    def _save_progress(self, job_id: str, progress: Progress) -> None:
        try:
            self._database.execute(
                "UPDATE jobs SET progress = ? WHERE id = ?", (progress.model_dump_json(), job_id)
            )
        except sqlite3.OperationalError as error:  # a full disk; the progress is shown all the same
            _log.warning("The progress of job %s could not be written down: %s", job_id, error)

    def _note(self, job_id: str, progress: Progress | None) -> Job:
        self._changed[job_id] = progress
        self._database.execute(
            "INSERT INTO events (job_id, state, attempt, fence, at)"
            " SELECT id, state, attempt, fence, ? FROM jobs WHERE id = ?",
            (time.time(), job_id),
        )
        return self.get(job_id)

    def _announce(self, job_id: str) -> None:
        view = self.get(job_id).view
        if view.state != "running":
            self._stalled.discard(job_id)
        if view.state in TERMINAL_STATES:
            self._progress.pop(job_id, None)  # written down with the final state
            self._saved_at.pop(job_id, None)
        self._on_change(view)
