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
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from modelsheet.api.jobs import JobView
from modelsheet.service.queue.job import DURABLE, Job, Value, abridged, job_from_row

_log = logging.getLogger(__name__)


class JobBackup:
    """The folder of backups, `<id>.json` for each job."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, database: sqlite3.Connection, job_id: str) -> None:
        """Write a job's durable columns by a rename, and their checksum also into its row.

        Not synced: the file is needed only if the database, which is, has been damaged.
        """
        row = database.execute("SELECT * FROM jobs WHERE id = :id", {"id": job_id}).fetchone()
        text = _durable(row)
        checksum, temporary = _checksum(text), self._folder / f".{job_id}"
        content = {"checksum": checksum, "columns": json.loads(text)}
        try:
            temporary.write_text(json.dumps(content), encoding="utf-8")
            os.replace(temporary, self._path(job_id))
        finally:
            temporary.unlink(missing_ok=True)
        values = {"checksum": checksum, "id": job_id}
        database.execute("UPDATE jobs SET checksum = :checksum WHERE id = :id", values)

    def align(self, database: sqlite3.Connection) -> None:
        """Write the files that are missing, and delete those of jobs that no longer exist."""
        ids = [row["id"] for row in database.execute("SELECT id FROM jobs")]
        kept = {self._path(job_id) for job_id in ids}
        for path in self._folder.iterdir():
            if path not in kept:
                path.unlink(missing_ok=True)
        for job_id in ids:
            if not self._path(job_id).exists():
                self.write(database, job_id)

    def restore(self, database: sqlite3.Connection) -> None:
        """Fill a new database with the jobs of the folder."""
        found = self.read_all()
        names = (*DURABLE, "checksum")
        marks = ", ".join("?" * len(names))
        statement = f"INSERT INTO jobs ({', '.join(names)}) VALUES ({marks})"  # nosec B608 # ours
        for columns in found:
            values = [columns[name] for name in DURABLE]
            database.execute(statement, (*values, _checksum(_durable(columns))))
        if found:
            _log.warning("The job database was restored from the backup of %d jobs", len(found))

    def read_all(self) -> list[dict[str, Value]]:
        """Return the durable columns of every job whose file is whole, oldest job first."""
        found = [columns for path in self._folder.glob("*.json") if (columns := _read(path))]
        return sorted(found, key=lambda columns: float(columns["created"] or 0.0))

    def _path(self, job_id: str) -> Path:
        return self._folder / f"{job_id}.json"


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
        if row["checksum"] and row["checksum"] != _checksum(_durable(row)):
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
        if content["checksum"] == _checksum(_durable(columns)):
            return columns
    except (OSError, ValueError, KeyError, TypeError) as error:
        _log.warning("The job backup %s cannot be read: %s", path.name, type(error).__name__)
        return None
    _log.warning("The job backup %s is damaged and left out", path.name)
    return None


def _durable(columns: Mapping[str, Value] | sqlite3.Row) -> str:
    """Return the columns that are backed up, as JSON."""
    return json.dumps({name: columns[name] for name in DURABLE})


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
