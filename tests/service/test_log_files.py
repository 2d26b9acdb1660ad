"""The log as lines of JSON, and that it does not grow without end."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from modelsheet.connection_file import read_connection
from modelsheet.service import log_files
from modelsheet.service.log_files import JsonLines, start_log
from modelsheet.settings import Settings
from tests import toy

_PATIENCE_S = 180.0
_LOGGERS = (logging.getLogger(), logging.getLogger("modelsheet.audit"))


@pytest.fixture
def own_handlers() -> Iterator[None]:
    """Take away the handlers that the test adds."""
    before = [(logger, list(logger.handlers), logger.level) for logger in _LOGGERS]
    try:
        yield
    finally:
        for logger, handlers, level in before:
            for handler in set(logger.handlers) - set(handlers):
                logger.removeHandler(handler)
                handler.close()
            logger.setLevel(level)


def test_a_line_is_an_object_even_if_what_it_says_has_several_lines() -> None:
    record = logging.makeLogRecord(
        {"name": "room", "levelname": "ERROR", "msg": "two\nlines of %s", "args": ("ü",)}
    )
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        record.exc_info = sys.exc_info()

    line = JsonLines().format(record)

    said = json.loads(line)
    assert "\n" not in line
    assert (said["level"], said["logger"], said["message"]) == ("ERROR", "room", "two\nlines of ü")
    assert said["time"].endswith("+00:00")
    assert "ZeroDivisionError" in said["trace"]


@pytest.mark.usefixtures("own_handlers")
def test_files_are_rotated_and_the_oldest_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_files, "_FILE_LIMIT", 400)
    start_log(tmp_path, as_json=True)

    for number in range(100):
        logging.getLogger("room").info("line %s", number)

    files = sorted(path.name for path in tmp_path.glob("service.log*"))
    assert files == ["service.log", *(f"service.log.{number}" for number in range(1, 6))]
    lines = (tmp_path / "service.log").read_text("utf-8").splitlines()
    assert json.loads(lines[-1])["message"] == "line 99"
    assert all(path.stat().st_size <= 400 for path in tmp_path.glob("service.log*"))


@pytest.mark.skipif(os.name != "posix", reason="ends the service by a signal")
def test_the_service_writes_json_when_asked(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    command = [sys.executable, "-m", "modelsheet", "serve", "--json-log"]
    until = time.monotonic() + _PATIENCE_S
    with subprocess.Popen(
        command, env=toy.environment(tmp_path), stdout=subprocess.DEVNULL
    ) as service:
        try:
            while read_connection(settings) is None:
                assert service.poll() is None
                assert time.monotonic() < until
            service.terminate()
            assert service.wait(_PATIENCE_S) == 0
        finally:
            service.kill()

    lines = (settings.log_dir / "service.log").read_text("utf-8").splitlines()
    said = [json.loads(line)["message"] for line in lines]
    assert any("serves at http://127.0.0.1:" in message for message in said)
    assert said[-1] == "Modelsheet has ended"
