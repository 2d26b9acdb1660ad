"""Runs the real service with the toy runner in a process of its own, for tests of its clients."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from modelsheet.client import launcher
from modelsheet.client.client import BackendClient
from modelsheet.settings import Settings
from tests.paths import ROOT


def environment(home: Path) -> Mapping[str, str]:
    """What a service needs to find the backend and the toy runner, and its own home."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "backend")])
    return {**os.environ, "PYTHONPATH": path, "MODELSHEET_HOME": str(home)}


def command(home: Path) -> list[str]:
    return [sys.executable, "-m", "tests.service.toy_service", str(home)]


@contextmanager
def service(home: Path) -> Iterator[BackendClient]:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(home)})
    with launcher.running_service(
        settings, environment=environment(home), command=command(home)
    ) as client:
        yield client
