"""Opening the ledger's SQLite file: journal, integrity, schema. One process, one connection."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from modelsheet.service.queue.schema import bring_up_to_date

_log = logging.getLogger(__name__)

_WAL_IS_SAFE_FROM = (3, 51, 3)  # before it, WAL's reset could corrupt the file: sqlite.org, 2026-03
# What SQLite says of the machine around the file, by which the file itself may be well. It has
# error codes too, but Python tells them only from 3.11 on.
_CIRCUMSTANCES = (
    "database is locked",
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "attempt to write a readonly database",
    "access permission denied",
    "out of memory",
)
Act = Callable[[sqlite3.Connection], None]


def open_database(path: Path, *, check: Act, restore: Act) -> sqlite3.Connection:
    """Open or create the ledger's file; one that is damaged is put aside under another name.

    `check` raises sqlite3.DatabaseError when the rows are damaged; `restore` fills a new file.
    Raises ModelsheetError: the file was written by a newer version, which we must not touch.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _opened(path, check, restore)
    # A flipped bit may stand in what SQLite would quote in its message.
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        if isinstance(error, sqlite3.Error) and not is_damage(error):
            raise
        aside = path.with_name(f"{path.name}.damaged-{int(time.time())}")
        _log.error("The ledger %s is damaged (%s); it is kept as %s", path, error, aside.name)
        path.replace(aside)
        for companion in ("-journal", "-wal", "-shm"):
            path.with_name(path.name + companion).unlink(missing_ok=True)
        return _opened(path, check, restore)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether SQLite complains of what is in the file, not of the disk or of another process."""
    return isinstance(error, sqlite3.DatabaseError) and not str(error).startswith(_CIRCUMSTANCES)


def journal_mode() -> str:
    """Return the journal that is safe with this Python's SQLite."""
    return "WAL" if sqlite3.sqlite_version_info >= _WAL_IS_SAFE_FROM else "TRUNCATE"


def _opened(path: Path, check: Act, restore: Act) -> sqlite3.Connection:
    with ExitStack() as on_failure:
        # The ledger serialises its callers by its own lock, so any thread may use the connection.
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        on_failure.callback(connection.close)
        connection.row_factory = sqlite3.Row
        _configure(connection)
        bring_up_to_date(connection, path, restore)
        check(connection)
        on_failure.pop_all()
    return connection


def _configure(connection: sqlite3.Connection) -> None:
    connection.execute(f"PRAGMA journal_mode={journal_mode()}")
    connection.execute("PRAGMA synchronous=FULL")
    verdict = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
