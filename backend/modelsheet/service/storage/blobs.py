"""Store bytes under their sha256: uploaded and generated images. A blob is whole or missing."""

from __future__ import annotations

import hashlib
import io
import os
import re
import time
from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from modelsheet.errors import Conflict, NotFound
from modelsheet.service.storage.clock_record import DAY_S

_PART = 1 << 20  # bytes that are read at once
_NAME = re.compile(r"^[0-9a-f]{64}$")


class BlobStore:
    """A folder of files named by the sha256 of their content; safe to share between processes."""

    def __init__(self, root: Path) -> None:
        self._root = root / "sha256"

    def size(self, sha256: str) -> int | None:
        """Return the blob's size in bytes, None when there is no such blob."""
        try:
            return self._path(sha256).stat().st_size
        except FileNotFoundError:
            return None

    def read(self, sha256: str) -> bytes:
        """Return a blob's bytes. Raises NotFound: no such blob."""
        try:
            return self._path(sha256).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no blob {sha256} on the service; send it again.") from None

    def open(self, sha256: str) -> BinaryIO:
        """Open a blob to be read in parts. Raises NotFound: no such blob."""
        try:
            return self._path(sha256).open("rb")
        except FileNotFoundError:
            raise NotFound(f"There is no blob {sha256} on the service; send it again.") from None

    def put(self, sha256: str, content: bytes) -> None:
        """Store content under the name its sender computed. Raises Conflict: the two disagree."""
        self.put_stream(sha256, io.BytesIO(content))

    def put_stream(self, sha256: str, content: BinaryIO) -> None:
        """Store what is read from a stream, in parts, under the name its sender computed. Raises
        Conflict: the two disagree.
        """
        digest = hashlib.sha256()
        with self._replaced(self._path(sha256)) as stream:
            while part := content.read(_PART):
                digest.update(part)
                stream.write(part)
            if digest.hexdigest() != sha256:
                raise Conflict(
                    "The bytes received do not have the sha256 in the address; send them again."
                )

    def write(self, content: bytes) -> str:
        """Store content and return its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._store(sha256, content)
        return sha256

    def sweep(self, keep: Container[str], older_than_s: float) -> int:
        """Delete blobs that are not in `keep` and older than `older_than_s`; return how many.

        One of the future, written while the clock was ahead, counts as new from now on.
        """
        now, swept = time.time(), 0
        for path in self._root.glob("*/*"):
            age_s = now - path.stat().st_mtime
            if age_s < -DAY_S:
                os.utime(path)
            elif age_s > older_than_s and path.name not in keep:
                path.unlink(missing_ok=True)
                swept += 1
        return swept

    def total_size(self) -> int:
        """Return the size of all blobs together, in bytes."""
        return sum(path.stat().st_size for path in self._root.glob("*/*"))

    def _path(self, sha256: str) -> Path:
        if not _NAME.match(sha256):
            raise NotFound("A blob is named by 64 hexadecimal digits.")
        return self._root / sha256[:2] / sha256

    def _store(self, sha256: str, content: bytes) -> None:
        target = self._path(sha256)
        if self.size(sha256) == len(content):
            os.utime(target)  # a blob stored again counts as new
            return
        with self._replaced(target) as stream:
            stream.write(content)

    @contextmanager
    def _replaced(self, target: Path) -> Iterator[BinaryIO]:
        """Yield a stream whose content replaces the target, unless there was an exception."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".tmp-{uuid4().hex}"
        try:
            with temporary.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
