"""Lock a data folder, so that it has one service."""

from __future__ import annotations

import logging
import os
import time
from pathlib import Path

from filelock import FileLock, Timeout

from modelsheet.operating_system import lock_folder

_log = logging.getLogger(__name__)


class FolderLock:
    """A lock on a folder: by the file service.lock in it and, where the system can, on the folder
    itself, which nobody tidies away.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = FileLock(folder / "service.lock")
        self._handle: int | None = None

    def acquire(self, timeout_s: float) -> bool:
        """Acquire both locks; return False if somebody has one of them."""
        try:
            self._file.acquire(timeout=timeout_s)
        except Timeout:
            return False
        try:
            self._handle = lock_folder(self._folder)
        except BlockingIOError:
            self.release()
            time.sleep(timeout_s)
            return False
        except OSError as error:  # some network file systems lock files only
            _log.info("The folder itself cannot be locked: %s", error.strerror)
        return True

    def release(self) -> None:
        """Release both locks."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._file.release()
