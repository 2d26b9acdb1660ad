"""What all tests share: no network but loopback, no real home, and a count of what was skipped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from modelsheet.client.client import BackendClient

# Before any library reads them: nothing may ask a hub, and Qt needs no screen.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# Tiny models gain nothing by threads, and threads that wait for each other beside other work crawl.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def modelsheet_home(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Give each test a Modelsheet home of its own, so that none touches the user's subjects."""
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("MODELSHEET_HOME", str(home))
    return home


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def client(home: Path) -> Iterator[BackendClient]:
    """Speaks to a real service with the toy runner, one for all tests of a file."""
    from tests import toy  # once the environment above is set

    with toy.service(home) as running:
        yield running


@pytest.fixture
def server(client: BackendClient, home: Path) -> list[str]:
    """The options by which the command line reaches that service."""
    from modelsheet.connection_file import read_connection
    from modelsheet.settings import Settings

    connection = read_connection(Settings.from_environment({"MODELSHEET_HOME": str(home)}))
    assert connection is not None
    return [f"--server={connection.url}", f"--token={connection.token}"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the skipped tests by reason; -rs above it names each."""
    skipped = terminalreporter.getreports("skipped")
    reasons = Counter(_reason(report) for report in skipped)
    terminalreporter.write_sep("-", f"{len(skipped)} skipped")
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:4} × {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return str(report.longrepr)
