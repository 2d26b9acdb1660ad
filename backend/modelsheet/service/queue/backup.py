"""Back up each job as a JSON file, from which a damaged job database is restored.

The database is authoritative as long as it can be read. A job's file is written right before the
database commits the same change, so it lags behind by at most one change cut off by a crash.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from modelsheet.api.jobs import JobView
from modelsheet.service.queue.job import DURABLE, Job, Value, abridged, job_from_row

_log = logging.getLogger(__name__)


def checksum_of(columns: Mapping[str, Value]) -> str:
    """Return the sha256 of a row's durable columns."""
    return hashlib.sha256(_text(columns).encode()).hexdigest()


class JobBackup:
    """The folder of backups, `<id>.json` for each job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, job_id: str, columns: Mapping[str, Value]) -> None:
        """Write a job's durable columns with their checksum, by a rename.

        Not synced: it is needed only if the database, which is, has been damaged.
        """
        temporary = self._folder / f".{job_id}"
        content = {"checksum": checksum_of(columns), "columns": json.loads(_text(columns))}
        try:
            temporary.write_text(json.dumps(content), encoding="utf-8")
            os.replace(temporary, self._path(job_id))
        finally:
            temporary.unlink(missing_ok=True)

    def read_all(self) -> Iterator[dict[str, Value]]:
        """Yield the durable columns of every job whose file is whole, oldest job first."""
        found = [columns for path in self._folder.glob("*.json") if (columns := _read(path))]
        yield from sorted(found, key=lambda columns: float(columns["created"] or 0.0))

    def keep_only(self, job_ids: Iterable[str]) -> None:
        """Delete the files of all other jobs."""
        kept = {f"{job_id}.json" for job_id in job_ids}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink(missing_ok=True)

    def has(self, job_id: str) -> bool:
        """Return True if the job has a file."""
        return self._path(job_id).exists()

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


def insert_columns(database: sqlite3.Connection, columns: dict[str, Value]) -> None:
    """Insert a row from a backup."""
    names = (*DURABLE, "checksum")
    marks = ", ".join("?" * len(names))
    statement = f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})"  # nosec B608 # ours
    values = (*(columns[name] for name in DURABLE), checksum_of(columns))
    database.execute(statement, values)


def durable_columns(row: sqlite3.Row) -> dict[str, Value]:
    """Return the columns of a row that are backed up."""
    return {name: row[name] for name in DURABLE}


def check_rows(database: sqlite3.Connection) -> None:
    """Check the checksums of all rows. Raises sqlite3.DatabaseError: a row was damaged.

    Abridged views have no checksum: one that is not that of its job is dropped, to be made anew.
    """
    wrong = []
    for row in database.execute("SELECT * FROM jobs"):
        try:
            job = job_from_row(row, None)
        except ValidationError:
            raise sqlite3.DatabaseError("a job in it cannot be read") from None
        # A row of schema 1 has no sum until it is changed.
        if row["checksum"] and row["checksum"] != checksum_of(durable_columns(row)):
            raise sqlite3.DatabaseError("a job in it is not what was written")
        if row["abridged"] and not _is_view_of(row["abridged"], job):
            wrong.append((row["position"],))
    if wrong:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("UPDATE jobs SET abridged = NULL WHERE position IN (?)", wrong)
        database.execute("COMMIT")


def _is_view_of(text: str, job: Job) -> bool:
    try:
        return JobView.model_validate_json(text) == abridged(job.view)
    except ValidationError:
        return False


def _read(path: Path) -> dict[str, Value] | None:
    try:
        content = json.loads(path.read_bytes())
        columns: dict[str, Value] = content["columns"]
        if content["checksum"] == checksum_of(columns):
            return columns
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("The job backup %s cannot be read: %s", path.name, type(error).__name__)
        return None
    _log.warning("The job backup %s is damaged and left out", path.name)
    return None


def _text(columns: Mapping[str, Value]) -> str:
    return json.dumps({name: columns[name] for name in DURABLE})
