"""Find out whether the clock can be trusted with the age of files, which are deleted by it."""

from __future__ import annotations

import contextlib
import json
import logging
import time
from pathlib import Path

_log = logging.getLogger(__name__)
DAY_S = 86_400.0
_LONGEST_PAUSE_S = 7 * DAY_S  # between two looks; after a longer one it may be the clock
_STEADY_S = 7 * DAY_S


class ClockRecord:
    """The moments of the last look at the clock and of its last jump, in a file of two numbers.

    A data folder that was not used for a week and a clock that is a week ahead look the same, so
    both put deletions off for a week.
    """

    def __init__(self, file: Path, used: Path) -> None:
        """`used` is a file or folder whose modification is the last look if `file` is not there."""
        self._file = file
        self._seen, self._jumped = _read(file, used)

    def is_steady(self) -> bool:
        """Look at the clock; return False if it has jumped within a week, in either direction."""
        now = time.time()
        if not self._seen - DAY_S <= now <= self._seen + _LONGEST_PAUSE_S:
            _log.warning("The clock has jumped, or the service was off for long: nothing is swept")
            self._jumped = now
        self._seen = now
        with contextlib.suppress(OSError):  # a full disk
            self._file.write_text(json.dumps([now, self._jumped]), encoding="utf-8")
        return now - self._jumped >= _STEADY_S


def _read(file: Path, used: Path) -> tuple[float, float]:
    try:
        seen, jumped = json.loads(file.read_bytes())
        return float(seen), float(jumped)
    except (OSError, ValueError, TypeError):
        return used.stat().st_mtime if used.exists() else time.time(), 0.0
