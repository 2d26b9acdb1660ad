"""Some bytes of the disk kept back, so that a full disk can still be told to the ledger."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_log = logging.getLogger(__name__)
_SIZE = 512 << 10  # bytes; a state change writes a few pages, its journal and a record


class Reserve:
    """A file of zeros that is given up when the disk is full, and made again when it is not."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def fill(self) -> None:
        """Keep the bytes back; without room for them the service works on."""
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
        """Free the bytes; False when they were free already."""
        if not self._path.exists():
            return False
        self._path.unlink(missing_ok=True)
        _log.warning("The disk is full; the reserve is given up for the ledger")
        return True
