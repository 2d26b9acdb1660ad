"""A folder's manifest: size and sha256 of each file.

It is written last, so that an incomplete folder has none.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

from modelsheet.api.types import ApiModel
from modelsheet.operating_system import IS_WINDOWS

MANIFEST_NAME = "MANIFEST.json"
_CHUNK = 1 << 20  # bytes


class FileEntry(ApiModel):
    """Size in bytes and sha256 of one file."""

    size: int
    sha256: str


class Manifest(ApiModel):
    """All files of a folder except the manifest, by their path in the folder."""

    schema_version: int = 1
    files: dict[str, FileEntry]


def read_manifest(folder: Path) -> Manifest:
    """Read a folder's manifest. Raises OSError, or ValidationError when it is damaged."""
    return Manifest.model_validate_json((folder / MANIFEST_NAME).read_bytes())


def write_manifest(staging: Path) -> None:
    """Write the manifest of a folder after flushing all of its files to disk."""
    files = sorted(path for path in staging.rglob("*") if path.is_file())
    entries = {
        path.relative_to(staging).as_posix(): FileEntry(
            size=path.stat().st_size, sha256=sha256_of(path)
        )
        for path in files
        if path.name != MANIFEST_NAME
    }
    for path in files:
        fsync(path)
    content = json.dumps(Manifest(files=entries).model_dump(), indent=1)
    (staging / MANIFEST_NAME).write_text(content, encoding="utf-8")
    fsync(staging / MANIFEST_NAME)
    fsync(staging)


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's content in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def fsync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to disk; does nothing for folders on Windows."""
    if IS_WINDOWS and path.is_dir():
        return
    # Windows flushes only files opened for writing.
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
