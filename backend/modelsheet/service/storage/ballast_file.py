"""Keep a ballast file, deleted when the disk is full so that jobs can still be paused."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_log = logging.getLogger(__name__)
_SIZE = 512 << 10  # bytes; a state change writes a few pages, its journal and a backup


class BallastFile:
    """A file of zeros that is deleted when the disk is full, and written again when it is not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Write the file if it is missing; without room for it the service goes on."""
        if self._path.exists():
            return
        try:
            with self._path.open("xb") as stream:
                stream.write(bytes(_SIZE))
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            self._path.unlink(missing_ok=True)
            _log.warning("The disk has no room for a reserve: %s", error.strerror)

    def release(self) -> bool:
        """Delete the file; return False if it was deleted already."""
        if not self._path.exists():
            return False
        self._path.unlink(missing_ok=True)
        _log.warning("The disk is full; the reserve is given up for the job database")
        return True
