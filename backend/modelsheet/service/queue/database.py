"""Open the job database in SQLite: journal mode, integrity check, schema."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from modelsheet.errors import ModelsheetError
from modelsheet.service.queue.schema import migrate

_log = logging.getLogger(__name__)

_PATIENCE_S = 60.0  # with another connection of ours, which is quick
_WAL_IS_SAFE_FROM = (3, 51, 3)  # before it, WAL's reset could corrupt the file: sqlite.org, 2026-03
# Messages of SQLite about the environment of the file, which itself may be undamaged. There are
# error codes too, but Python exposes them only from 3.11 on.
_ENVIRONMENT_ERRORS = (
    "database is locked",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "attempt to write a readonly database",
    "access permission denied",
    "out of memory",
)
Action = Callable[[sqlite3.Connection], None]


def open_database(path: Path, *, check: Action, restore: Action) -> sqlite3.Connection:
    """Open or create the database; rename a damaged file and create a new one.

    `check` raises sqlite3.DatabaseError when the rows are damaged; `restore` fills a new file.
    Raises ModelsheetError: a newer version wrote the file, which is left as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _opened(path, check, restore)
    except (OSError, MemoryError, ModelsheetError):
        raise
    # Whatever a first reading stumbles over: SQLite quotes damaged bytes (UnicodeDecodeError), a
    # column has lost its name (IndexError), a number is a text (TypeError).
    except Exception as error:
        if isinstance(error, sqlite3.Error) and not _is_damage_of(path, error):
            raise
        aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
        _log.error(
            "The job database %s is damaged (%s); it is kept as %s",
            path,
            error,
            aside.name,
            exc_info=not isinstance(error, sqlite3.Error),  # it may be a fault of ours
        )
        path.replace(aside)
        for companion in ("-journal", "-wal", "-shm"):
            path.with_name(path.name + companion).unlink(missing_ok=True)
        return _opened(path, check, restore)


def open_reader(path: Path) -> sqlite3.Connection:
    """Open a second connection to an open database, which cannot write."""
    reader = sqlite3.connect(path, _PATIENCE_S, isolation_level=None, check_same_thread=False)
    reader.row_factory = sqlite3.Row
    reader.execute("PRAGMA query_only=1")
    return reader


def is_damage(error: sqlite3.Error) -> bool:
    """Return True if SQLite reports a damaged file, False for the disk or another process."""
    return isinstance(error, sqlite3.DatabaseError) and not str(error).startswith(
        _ENVIRONMENT_ERRORS
    )


def _is_damage_of(path: Path, error: sqlite3.Error) -> bool:
    """Return True if the file is damaged, also by the bit that makes it read-only for SQLite."""
    if str(error).startswith("attempt to write a readonly database"):
        return os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    return is_damage(error)


def journal_mode() -> str:
    """Return the journal mode that is safe with this Python's SQLite."""
    return "WAL" if sqlite3.sqlite_version_info >= _WAL_IS_SAFE_FROM else "TRUNCATE"


def _opened(path: Path, check: Action, restore: Action) -> sqlite3.Connection:
    with ExitStack() as on_failure:
        # JobTable serialises its callers by its own lock, so any thread may use the connection.
        connection = sqlite3.connect(
            path, _PATIENCE_S, isolation_level=None, check_same_thread=False
        )
        on_failure.callback(connection.close)
        connection.row_factory = sqlite3.Row
        _configure(connection)
        migrate(connection, path, restore)
        check(connection)
        on_failure.pop_all()
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA journal_mode={journal_mode()}")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("PRAGMA user_version=0")  # fails if a flipped bit makes the file read-only
    connection.execute("ROLLBACK")
    result = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if result != "ok":
        raise sqlite3.DatabaseError(result)
