"""What a worker prints, kept in a file that cannot grow without end."""

from __future__ import annotations

import logging
import logging.handlers
import threading
from pathlib import Path
from typing import IO

_FILE_LIMIT = 2 << 20  # bytes
_FILES_BEFORE = 4
_LONGEST_LINE = 8192  # bytes; progress bars draw over themselves and never end their line
_LONGEST_WORDS = 300  # characters


class WorkerLog:
    """Follows the error output of one worker after the other."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = logging.handlers.RotatingFileHandler(
            path, maxBytes=_FILE_LIMIT, backupCount=_FILES_BEFORE, encoding="utf-8", delay=True
        )

    def follow(self, stream: IO[bytes]) -> Following:
        return Following(stream, self._file)

    def close(self) -> None:
        self._file.close()


class Following:
    """Copies one stream to its end; a library's last error is what a crash is explained by."""

    def __init__(self, stream: IO[bytes], file: logging.Handler) -> None:
        self._stream = stream
        self._file = file
        self._last_error = ""
        self._thread = threading.Thread(target=self._copy, name="worker-log", daemon=True)
        self._thread.start()

    def last_words(self) -> str:
        """Return the last line that tells of an error, once the worker is gone."""
        self._thread.join(timeout=1.0)  # a process the worker left behind may hold the stream
        return self._last_error

    def _copy(self) -> None:
        with self._stream as stream:
            while line := stream.readline(_LONGEST_LINE):
                text = line.decode("utf-8", errors="replace").rstrip()
                self._file.handle(logging.makeLogRecord({"msg": text}))
                if "Error" in text:
                    self._last_error = text[-_LONGEST_WORDS:]
