"""Create the tables of the job database, and migrate a file of an earlier version."""

from __future__ import annotations

import itertools
import logging
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from modelsheet.errors import ModelsheetError

_log = logging.getLogger(__name__)

# Step n migrates a file of schema n to n + 1. Released steps never change, and each changes the
# schema's text: a version that does not fit the text is a flipped bit.
_STEPS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE jobs (
            position INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            title TEXT NOT NULL,
            priority INTEGER NOT NULL,
            state TEXT NOT NULL,
            request TEXT NOT NULL,
            idempotency_key TEXT UNIQUE,
            attempt INTEGER NOT NULL DEFAULT 1,
            fence INTEGER NOT NULL DEFAULT 1,
            cancel_requested INTEGER NOT NULL DEFAULT 0,
            pause_requested INTEGER NOT NULL DEFAULT 0,
            progress TEXT,
            result TEXT,
            error TEXT,
            created REAL NOT NULL,
            started REAL,
            finished REAL
        )""",
        "CREATE INDEX jobs_by_state ON jobs (state, priority DESC, position)",
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            job_id TEXT NOT NULL,
            state TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            fence INTEGER NOT NULL,
            at REAL NOT NULL
        )""",
    ),
    (
        "ALTER TABLE jobs ADD COLUMN owner TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE jobs ADD COLUMN place INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN finish_requested INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE jobs ADD COLUMN checksum TEXT NOT NULL DEFAULT ''",
        "UPDATE jobs SET place = position",
        "DROP INDEX jobs_by_state",
        "CREATE INDEX jobs_by_place ON jobs (state, priority DESC, place)",
    ),
    (
        # The job as lists show it, once it is over. `place` holds fractions too.
        "ALTER TABLE jobs ADD COLUMN abridged TEXT",
        "CREATE INDEX jobs_by_owner ON jobs (owner, position)",
    ),
)
SCHEMA_VERSION = len(_STEPS)
_IMPOSSIBLE_VERSION = 1000


def migrate(
    connection: sqlite3.Connection, path: Path, restore: Callable[[sqlite3.Connection], None]
) -> None:
    """Create the tables, or back up the file and migrate those of an earlier version.

    A new file is filled by `restore` in the same transaction. Raises ModelsheetError: a newer
    version wrote the file, which is left as it is. sqlite3.DatabaseError: the schema is damaged.
    """
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    found = _texts(connection)
    known = {_schema(count): count for count in range(SCHEMA_VERSION + 1)}
    if known.get(found, version) != version or not 0 <= version < _IMPOSSIBLE_VERSION:
        raise sqlite3.DatabaseError(f"it has the schema {known.get(found)} and says {version}")
    if version > SCHEMA_VERSION:
        raise ModelsheetError(
            f"{path} was written by a newer Modelsheet (schema {version}, this one knows "
            f"{SCHEMA_VERSION}). Update Modelsheet; nothing was changed."
        )
    if found not in known:
        raise sqlite3.DatabaseError(f"its schema is not that of version {version}")
    if version == SCHEMA_VERSION:
        return
    if version > 0:
        _back_up(connection, path.with_name(f"{path.name}.schema-{version}"))
    connection.execute("BEGIN IMMEDIATE")
    for step in _STEPS[version:]:
        for statement in step:
            connection.execute(statement)
    if version == 0:
        restore(connection)
    connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    connection.execute("COMMIT")


def _schema(version: int) -> frozenset[tuple[str, ...]]:
    """Return the texts of a new file of a version."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for statement in itertools.chain.from_iterable(_STEPS[:version]):
            connection.execute(statement)
        return _texts(connection)


def _texts(connection: sqlite3.Connection) -> frozenset[tuple[str, ...]]:
    """Return type, name, table and text of everything in the schema, the text without spaces."""
    rows = connection.execute("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_master")
    return frozenset((*row[:3], re.sub(r"[ \n]", "", row[3])) for row in rows)


def _back_up(connection: sqlite3.Connection, target: Path) -> None:
    temporary = target.with_name(target.name + ".tmp")
    temporary.unlink(missing_ok=True)
    with closing(sqlite3.connect(temporary)) as copy:
        connection.backup(copy)
    temporary.replace(target)
    _log.info("The job database before its migration is kept as %s", target.name)
