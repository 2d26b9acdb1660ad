"""The connection file: URL and token by which programs of the same user reach the service."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from uuid import uuid4

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from modelsheet import operating_system
from modelsheet.settings import Settings

_FILE = "server.json"


class Connection(BaseModel):
    """URL, token and process of a running service. Fields of later versions are ignored."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")

    url: str
    token: str
    pid: int
    boot_id: str
    api: str
    version: str


def connection_path(settings: Settings) -> Path:
    return settings.runtime_dir / _FILE


def write_connection(settings: Settings, connection: Connection) -> None:
    """Write the file atomically and readable by this user alone."""
    folder = settings.runtime_dir
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    temporary = folder / f".{uuid4().hex}"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with os.fdopen(os.open(temporary, flags, 0o600), "w", encoding="utf-8") as stream:
        json.dump(connection.model_dump(), stream)
    os.replace(temporary, connection_path(settings))


def read_connection(settings: Settings) -> Connection | None:
    """Return the connection to a running service.

    None when no service runs, or when other users can read the file.
    """
    path = connection_path(settings)
    try:
        if not _is_private(path):
            return None
        connection = Connection.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return connection if psutil.pid_exists(connection.pid) else None


def remove_connection(settings: Settings, boot_id: str) -> None:
    """Remove the file if it is still that of this run of the service."""
    connection = read_connection(settings)
    if connection is not None and connection.boot_id == boot_id:
        connection_path(settings).unlink(missing_ok=True)


def _is_private(path: Path) -> bool:
    """Tell whether it is a regular file that only this user can read."""
    status = path.lstat()
    return stat.S_ISREG(status.st_mode) and operating_system.is_ours_without(status, 0o077)
