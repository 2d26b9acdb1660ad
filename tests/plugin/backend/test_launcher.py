"""Finding and starting the backend of this computer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from platformdirs import windows
from platformdirs.api import PlatformDirsABC
from platformdirs.macos import MacOS

from modelsheet.settings import Settings
from modelsheet_krita.backend import launcher, location

from modelsheet_krita.app import settings  # isort: skip
from modelsheet_krita.backend.client import Address  # isort: skip
from modelsheet_krita.errors import BackendDown, BackendMissing  # isort: skip

WRITES = """
import json, os, sys
folder = os.path.dirname(sys.argv[1]); os.makedirs(folder, exist_ok=True)
with open(os.open(sys.argv[1] + ".part", os.O_CREAT | os.O_WRONLY, 0o600), "w") as stream:
    json.dump({"url": "http://127.0.0.1:1", "token": os.environ.get("MODELSHEET_HOME")}, stream)
os.replace(sys.argv[1] + ".part", sys.argv[1])
"""


def plan(folder: Path, *command: str) -> launcher.LaunchPlan:
    return launcher.LaunchPlan(
        command=command,
        home=str(folder),
        connection_file=folder / "run" / "server.json",
        log_file=folder / "log" / "started.log",
    )


def wait(seconds: float) -> None:
    """Look again at once."""


def test_backend_is_started_and_found(tmp_path: Path) -> None:
    target = str(tmp_path / "run" / "server.json")
    started = launcher.Launcher(plan(tmp_path, sys.executable, "-c", WRITES, target), os.environ)
    assert started.find() is None

    started.start(wait)

    assert started.find() == Address("http://127.0.0.1:1", str(tmp_path))
    started._process.wait()


def test_a_running_backend_is_asked_to_end(tmp_path: Path) -> None:
    backend = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    path = tmp_path / "run" / "server.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "t", "pid": backend.pid}))
    path.chmod(0o600)

    with backend:
        try:
            launcher.Launcher(plan(tmp_path), os.environ).stop()
            assert backend.wait(180) == -signal.SIGTERM
        finally:
            backend.kill()


def test_what_has_ended_without_tidying_up_is_tidied_up(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    path = tmp_path / "run" / "server.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "t", "pid": ended.pid}))
    path.chmod(0o600)

    launcher.Launcher(plan(tmp_path), os.environ).stop()

    assert not path.exists()


def test_without_a_command_it_says_how_to_install() -> None:
    with pytest.raises(BackendMissing, match=r"Run \./install\.sh in Modelsheet's folder"):
        launcher.Launcher(plan(Path("nowhere")), {}).start(wait)


def test_a_command_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = plan(tmp_path, "/gone/python")
    with pytest.raises(BackendMissing, match="cannot be started: /gone/python.*install.sh"):
        launcher.Launcher(gone, {}).start(wait)
    with pytest.raises(BackendMissing, match="“Set Up, Repair or Remove…” at the bottom"):
        launcher.Launcher(replace(gone, can_set_up=True), {}).start(wait)


def test_a_backend_that_ends_at_once_is_quoted(tmp_path: Path) -> None:
    command = (sys.executable, "-c", "raise SystemExit('the disk is full')")

    with pytest.raises(BackendMissing, match="It said: “the disk is full”"):
        launcher.Launcher(plan(tmp_path, *command), os.environ).start(wait)


def test_a_connection_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run" / "server.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"url": "http://127.0.0.1:1", "token": "t"}))
    path.chmod(0o644)

    with pytest.raises(BackendMissing, match="can be read by other people"):
        launcher.Launcher(plan(tmp_path), {}).find()


@pytest.mark.parametrize("content", ["", "[]", "{}", "not json"])
def test_a_broken_connection_file_is_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "run" / "server.json"
    path.parent.mkdir()
    path.write_text(content)
    path.chmod(0o600)

    assert launcher.Launcher(plan(tmp_path), {}).find() is None


def test_kritas_own_python_and_qt_stay_out_of_the_backend() -> None:
    kritas = {
        "PYTHONPATH": "/krita",
        "PYTHONHOME": "/krita",
        "LD_LIBRARY_PATH": "/app/lib",
        "QT_PLUGIN_PATH": "/app/plugins",
        "APPDIR": "/app",
        "PATH": "/app/bin:/usr/bin",
        "HOME": "/home/me",
    }

    kept = launcher.clean_environment(kritas, "/data")

    assert kept == {
        "APPDIR": "/app",
        "PATH": "/usr/bin",
        "HOME": "/home/me",
        "MODELSHEET_HOME": "/data",
        "MODELSHEET_IDLE_MINUTES": "15",
    }
    kept = launcher.clean_environment({"MODELSHEET_IDLE_MINUTES": "0"}, None)
    assert kept == {"MODELSHEET_IDLE_MINUTES": "0"}, "the user's own"


@pytest.mark.skipif(sys.platform != "linux", reason="the folders of this test are Linux's")
@pytest.mark.parametrize("name", ["none", "XDG_STATE_HOME", "MODELSHEET_HOME"])
def test_connection_file_is_where_the_backend_writes_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for known in ("XDG_STATE_HOME", "MODELSHEET_HOME"):
        monkeypatch.delenv(known, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    if name != "none":
        monkeypatch.setenv(name, str(tmp_path / "else"))

    found = settings.state_folder(None, os.environ, "linux") / "run"

    assert found == Settings.from_environment(os.environ).runtime_dir


@pytest.mark.parametrize(("system", "folders"), [("darwin", MacOS), ("win32", windows.Windows)])
def test_connection_file_on_other_systems(
    system: str, folders: type[PlatformDirsABC], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = {"HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path / "Zoë/Local")}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    # Else it asks Windows itself.
    monkeypatch.setattr(windows, "get_win_folder", windows.get_win_folder_from_env_vars)

    found = settings.state_folder(None, environment, system)

    assert found == folders("modelsheet", appauthor=False).user_state_path


class Starter:
    """A launcher whose backend never answers."""

    started = 0

    how_to_repair = "./install.sh"

    def find(self) -> None:
        return None

    def start(self, wait: object) -> None:
        self.started += 1


def test_three_starts_in_a_row_are_a_fault_and_later_ones_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(location.time, "monotonic", lambda: now[0])
    starter = Starter()
    local = location.LocalBackend(starter)
    connection = SimpleNamespace(announce=lambda state: None, wait=None)

    for _ in range(6):  # each ended by itself as it was idle
        now[0] += 3600
        with pytest.raises(BackendDown):
            local.address(connection)
    for _ in range(2):
        with pytest.raises(BackendDown):
            local.address(connection)
    with pytest.raises(BackendMissing, match="again and again"):
        local.address(connection)

    assert starter.started == 8
