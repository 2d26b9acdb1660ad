"""Write the log files of the service, as text or as lines of JSON. Each is rotated and belongs to
one process, because rotation is not safe for two.
"""

from __future__ import annotations

import json
import logging
import logging.handlers
from datetime import datetime, timezone
from pathlib import Path

_PLAIN = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_FILE_LIMIT = 2 << 20  # bytes
_FILES_BEFORE = 5


class JsonLines(logging.Formatter):
    """One JSON object a line: `time` in UTC (ISO 8601), `level`, `logger`, `message`, and `trace`
    of an exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, timezone.utc)
        entry = {
            "time": moment.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["trace"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def start_log(log_dir: Path, *, as_json: bool) -> None:
    """Start service.log, and audit.log with each change and its caller."""
    log_dir.mkdir(parents=True, exist_ok=True)
    log_dir.chmod(0o700)  # it may exist already, made with another umask
    formatter = JsonLines() if as_json else logging.Formatter(_PLAIN)
    root = logging.getLogger()
    root.setLevel(logging.INFO)
    root.addHandler(_rotating(log_dir / "service.log", formatter))
    audit = logging.getLogger("modelsheet.audit")
    audit.addHandler(_rotating(log_dir / "audit.log", formatter))


def _rotating(path: Path, formatter: logging.Formatter) -> logging.Handler:
    handler = logging.handlers.RotatingFileHandler(
        path, maxBytes=_FILE_LIMIT, backupCount=_FILES_BEFORE, encoding="utf-8"
    )
    handler.setFormatter(formatter)
    return handler
