"""Starts a real Krita under Xvfb in a home of its own, lets a script drive it, and brings back
the script's report.

Knows nothing of what is tested; the scripts lie in `steps/`.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from modelsheet.krita_setup import install, kritarc

HERE = Path(__file__).parent
SCREEN = "1600x1000x24"


class KritaFailed(AssertionError):
    """Krita ended without a report, or the steps raised."""


@dataclass(frozen=True)
class KritaRun:
    """Results of one run of Krita: the steps' report, its log, and a folder with screenshots."""

    report: dict[str, Any]
    log: str
    folder: Path


def why_not() -> str:
    """Say what is missing for these tests, or nothing."""
    lacking = [name for name in ("krita", "Xvfb") if shutil.which(name) is None]
    return f"{' and '.join(lacking)} not installed" if lacking else ""


def make_home(home: Path, runner: str) -> None:
    """Lay out a home in which Krita has the plugin, installed as for an artist, and the driver.

    `runner` does the service's work; an empty one leaves the plugin without a backend.
    """
    command = [sys.executable, str(HERE / "service.py"), runner] if runner else []
    environment = {"HOME": str(home)}
    install.install(None, command, environment=environment, home=home / "modelsheet")
    shutil.copytree(HERE / "driver", home / ".local/share/krita/pykrita", dirs_exist_ok=True)
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_driver")
    (home / "run").mkdir(mode=0o700)


def stop_service(state: Path) -> None:
    """End the backend that the plugin started, as a test's home goes away with it.

    `state` is the folder that holds its runtime folder.
    """
    connection = state / "run/server.json"
    if connection.is_file():
        pid = json.loads(connection.read_text(encoding="utf-8"))["pid"]
        with contextlib.suppress(psutil.NoSuchProcess):
            service = psutil.Process(pid)
            service.terminate()
            _, left = psutil.wait_procs([service], timeout=120)
            for one in left:
                one.kill()


def run(
    steps: Path,
    home: Path,
    folder: Path,
    *,
    environment: dict[str, str] | None = None,
    timeout_s: float,
) -> KritaRun:
    """Run `steps` in a Krita whose home is `home`; raise KritaFailed when it fails."""
    folder.mkdir(parents=True, exist_ok=True)
    with _screen() as display, (folder / "krita.log").open("wb") as log:
        krita = subprocess.Popen(
            ["krita", "--nosplash"],
            stdout=log,
            stderr=subprocess.STDOUT,
            env=_environment(home, folder, steps, display) | (environment or {}),
            start_new_session=True,
        )
        try:
            krita.wait(timeout_s)
        except subprocess.TimeoutExpired:
            _photograph(display, folder / "stuck.png")
        finally:
            krita.kill()
            krita.wait()
    try:
        return _read(folder)
    except KritaFailed as failure:
        raise KritaFailed(f"{failure}\n{_logs_of_service(home)}") from None


def _logs_of_service(home: Path) -> str:
    logs = sorted((home / "modelsheet").rglob("*.log"))
    return "\n".join(f"{log.name} ends:\n{log.read_text('utf-8')[-2000:]}" for log in logs)


def _read(folder: Path) -> KritaRun:
    log = (folder / "krita.log").read_text(encoding="utf-8", errors="replace")
    report = folder / "report.json"
    if not report.is_file():
        raise KritaFailed(f"Krita left no report in {folder}; its log ends:\n{log[-3000:]}")
    run_ = KritaRun(json.loads(report.read_text(encoding="utf-8")), log, folder)
    if run_.report["error"]:
        raise KritaFailed(f"{run_.report['error']}\n(report and screenshots: {folder})")
    return run_


def _environment(home: Path, folder: Path, steps: Path, display: str) -> dict[str, str]:
    return {
        "HOME": str(home),
        # Krita's Python looks for its prefix on PATH: another python3 there hides PyQt5 from it.
        "PATH": "/usr/bin:/bin",
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "LC_ALL": "C.UTF-8",
        "MODELSHEET_DRIVER_STEPS": str(steps),
        "MODELSHEET_DRIVER_FOLDER": str(folder),
    }


@contextmanager
def _screen() -> Iterator[str]:
    reading, writing = os.pipe()
    server = subprocess.Popen(
        [
            "Xvfb",
            "-displayfd",
            str(writing),
            "-screen",
            "0",
            SCREEN,
            "-noreset",
            "-nolisten",
            "tcp",
        ],
        pass_fds=(writing,),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    try:
        with os.fdopen(reading) as number:
            yield f":{number.readline().strip()}"
    finally:
        server.terminate()
        server.wait()


def _photograph(display: str, path: Path) -> None:
    if shutil.which("import"):
        subprocess.run(["import", "-display", display, "-window", "root", str(path)], check=False)
