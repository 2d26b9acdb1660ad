"""Copy a worker's error output to a rotated log file."""

from __future__ import annotations

import logging
import logging.handlers
import threading
from pathlib import Path
from typing import IO

_FILE_LIMIT = 2 << 20  # bytes
_FILES_BEFORE = 4
_LONGEST_LINE = 8192  # bytes; progress bars draw over themselves and never end their line
_LONGEST_ERROR = 300  # characters


class WorkerLog:
    """The log file of the workers, which follow one another."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = logging.handlers.RotatingFileHandler(
            path, maxBytes=_FILE_LIMIT, backupCount=_FILES_BEFORE, encoding="utf-8", delay=True
        )

    def follow(self, stream: IO[bytes]) -> StderrReader:
        """Start to copy a worker's error output."""
        return StderrReader(stream, self._file)

    def close(self) -> None:
        self._file.close()


class StderrReader:
    """Copy one stream to its end, and keep the last error line, which may explain a crash."""

    def __init__(self, stream: IO[bytes], file: logging.Handler) -> None:
        self._stream = stream
        self._file = file
        self._last_error = ""
        self._thread = threading.Thread(target=self._copy, name="worker-log", daemon=True)
        self._thread.start()

    def last_error(self) -> str:
        """Return the last line with an error, once the worker has ended."""
        self._thread.join(timeout=1.0)  # a process the worker left behind may hold the stream
        return self._last_error

    def _copy(self) -> None:
        with self._stream as stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", errors="replace").rstrip()
                self._file.handle(logging.makeLogRecord({"msg": text}))
                if "Error" in text:
                    self._last_error = text[-_LONGEST_ERROR:]
