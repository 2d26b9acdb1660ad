"""Check an installation: Python, libraries, device, disk, models, service and plugin."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import psutil

import modelsheet
from modelsheet import operating_system
from modelsheet.api.types import API_VERSION, ApiModel
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL, list_base_models
from modelsheet.client import launcher
from modelsheet.connection_file import connection_path, read_connection
from modelsheet.errors import NotFound
from modelsheet.krita_setup import install, kritarc
from modelsheet.service.missing_requirements import LIBRARIES, installed_version
from modelsheet.service.queue.database import journal_mode
from modelsheet.settings import Settings

State = Literal["ok", "note", "missing"]

_OLDEST_PYTHON = (3, 10)
_LEAST_MEMORY = 4 << 30  # bytes; a comfortable margin, not a measured need
_LEAST_DISK = 2 << 30
_TORCH_TIMEOUT_S = 120
_MARKS: Mapping[State, str] = {"ok": "✓", "note": "·", "missing": "✗"}

# Run in a process of its own: torch takes seconds to import, and a broken driver can crash it.
_TORCH_SCRIPT = """
import json, torch
from_cuda = torch.cuda.is_available()
free, total = torch.cuda.mem_get_info() if from_cuda else (0, 0)
mps = torch.backends.mps.is_available()
name = torch.cuda.get_device_name() if from_cuda else "Apple GPU" if mps else "CPU"
from modelsheet.diffusion.models.device import available_devices
found = {"name": name, "total": total, "free": free, "gpu": from_cuda or mps}
print(json.dumps({**found, "devices": available_devices()}))
"""


class Finding(ApiModel):
    """Result of one check; `missing` means that learning or painting will not work."""

    name: str
    state: State
    detail: str


class DoctorReport(ApiModel):
    """Results of all checks."""

    findings: list[Finding]

    @property
    def healthy(self) -> bool:
        return all(finding.state != "missing" for finding in self.findings)


def run_checks(settings: Settings, *, environment: Mapping[str, str]) -> DoctorReport:
    """Check everything that learning, painting and the plugin need."""
    findings = [
        _python(),
        *_libraries(),
        _device(settings.device),
        _memory(),
        _disk(settings),
        _sqlite(),
    ]
    findings += [_job_list(settings)]
    findings += [*_base_models(settings), _connection_file(settings), _service(settings)]
    findings += [_krita(environment), *_plugin(environment)]
    return DoctorReport(findings=findings)


def format_report(report: DoctorReport) -> str:
    """Format the report for a terminal, a line per finding."""
    width = max(len(finding.name) for finding in report.findings)
    lines = [f"{_MARKS[f.state]} {f.name:{width}}  {f.detail}" for f in report.findings]
    count = sum(finding.state == "missing" for finding in report.findings)
    missing = "1 thing is" if count == 1 else f"{count} things are"
    lines.append("Modelsheet can work here." if report.healthy else f"{missing} missing: see ✗.")
    return "\n".join(lines)


def _finding(name: str, is_ok: bool, detail: str, otherwise: State = "missing") -> Finding:
    return Finding(name=name, state="ok" if is_ok else otherwise, detail=detail)


def _python() -> Finding:
    oldest = ".".join(map(str, _OLDEST_PYTHON))
    is_ok = sys.version_info >= _OLDEST_PYTHON
    advice = "" if is_ok else f"; Modelsheet needs {oldest} or newer"
    return _finding("python", is_ok, f"{platform.python_version()} at {sys.executable}{advice}")


def _libraries() -> Iterator[Finding]:
    for library in LIBRARIES:
        version = installed_version(library)
        yield _finding(library, version is not None, version or "not installed; run ./install.sh")


def _device(wanted: str) -> Finding:
    command = [sys.executable, "-I", "-c", _TORCH_SCRIPT]
    try:
        completed = subprocess.run(
            command, capture_output=True, text=True, timeout=_TORCH_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return _finding("device", False, "torch does not start; run ./install.sh again")
    if completed.returncode != 0:
        last = (completed.stderr.strip().splitlines() or ["no reason given"])[-1]
        return _finding("device", False, f"torch does not start ({last}); run ./install.sh again")
    found = json.loads(completed.stdout.strip().splitlines()[-1])
    if wanted and wanted.lower() not in found["devices"]:
        present = ", ".join(found["devices"])
        advice = f"MODELSHEET_DEVICE is {wanted!r}, but PyTorch finds only: {present}; unset it"
        return _finding("device", False, advice)
    if not found["gpu"]:
        cores = psutil.cpu_count(logical=False) or os.cpu_count()
        detail = f"CPU with {cores} cores; enough for sprite32, large base models want a GPU"
        return _finding("device", False, detail, "note")
    memory = f", {_gib(found['free'])} of {_gib(found['total'])} free" if found["total"] else ""
    return _finding("device", True, f"{found['name']}{memory}")


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    detail = f"{_gib(memory.available)} of {_gib(memory.total)} free"
    is_ok = memory.available >= _LEAST_MEMORY
    advice = "" if is_ok else "; close other programs before learning"
    return _finding("memory", is_ok, detail + advice, "note")


def _disk(settings: Settings) -> Finding:
    folder = next(p for p in (settings.data_dir, *settings.data_dir.parents) if p.is_dir())
    free = psutil.disk_usage(str(folder)).free
    if not os.access(folder, os.W_OK):
        return _finding("data folder", False, f"{folder} cannot be written; mend its rights")
    is_ok = free >= _LEAST_DISK
    advice = "" if is_ok else "; free some space"
    return _finding("data folder", is_ok, f"{settings.data_dir}, {_gib(free)} free{advice}")


def _sqlite() -> Finding:
    return _finding("sqlite", True, f"{sqlite3.sqlite_version}, journal mode {journal_mode()}")


def _job_list(settings: Settings) -> Finding:
    """Check for damaged ledgers that the service set aside, and for a held queue."""
    damaged = sorted(path.name for path in settings.data_dir.glob("*.damaged-*"))
    if damaged:
        detail = f"it was damaged and made anew; {damaged[-1]} can be deleted. Check the disk"
        return _finding("jobs", False, detail, "note")
    if (settings.data_dir / "queue-held").exists():
        return _finding("jobs", False, "held; start them with: modelsheet jobs open", "note")
    return _finding("jobs", True, "the list is whole and jobs are started")


def _base_models(settings: Settings) -> Iterator[Finding]:
    """Check the base models; only the embedded one is required."""
    for model in list_base_models(settings.data_dir):
        detail = f"{model.resolution} px" if model.available else model.note
        otherwise: State = "missing" if model.id == DEFAULT_BASE_MODEL else "note"
        yield _finding(f"base {model.id}", model.available, detail, otherwise)


def _connection_file(settings: Settings) -> Finding:
    path = connection_path(settings)
    if not path.exists():
        return _finding("connection", True, "no file, as no service runs")
    status = path.lstat()
    if not operating_system.is_ours_without(status, 0o077):
        mode = stat.S_IMODE(status.st_mode)
        detail = f"{path} can be read by others (mode {mode:o}); delete it and start again"
        return _finding("connection", False, detail)
    return _finding("connection", True, f"{path}, for you alone")


def _service(settings: Settings) -> Finding:
    connection = read_connection(settings)
    if connection is None:
        return _finding("service", False, "not running; it is started when it is needed", "note")
    client = launcher.find_service(settings)
    if client is None:
        detail = f"process {connection.pid} does not answer at {connection.url}; end it"
        return _finding("service", False, detail)
    client.close()
    same = connection.version == modelsheet.__version__
    advice = "" if same else f", but this is {modelsheet.__version__}: restart it"
    detail = f"version {connection.version} (API {connection.api}) at {connection.url}{advice}"
    return _finding("service", same and connection.api == API_VERSION, detail, "note")


def _krita(environment: Mapping[str, str]) -> Finding:
    path = shutil.which("krita", path=environment.get("PATH"))
    flatpak = Path(environment.get("HOME") or Path.home()) / ".var/app/org.kde.krita"
    if path is None and flatpak.is_dir():
        return _finding("krita", True, "from Flatpak")
    detail = path or "not found on the path; AppImages are not, which does not matter"
    return _finding("krita", path is not None, detail, "note")


def _plugin(environment: Mapping[str, str]) -> Iterator[Finding]:
    for krita_installation in install.find_installations(None, environment=environment):
        name = (
            "plugin"
            if krita_installation.label == "Krita"
            else f"plugin ({krita_installation.label})"
        )
        yield _finding(name, *_plugin_state(krita_installation), "note")


def _plugin_state(krita_installation: install.KritaInstallation) -> tuple[bool, str]:
    mend = "run: modelsheet krita install"
    if not (krita_installation.package / "__init__.py").is_file():
        return False, f"not installed in {krita_installation.package.parent}; {mend}"
    if not kritarc.is_enabled(krita_installation.settings, install.MODULE):
        return False, f"installed, but not switched on in {krita_installation.settings}; {mend}"
    try:
        current = install.package_files()
    except NotFound as error:
        return False, f"installed, but cannot be compared: {error}"
    if any(
        _content(krita_installation.package / name) != content for name, content in current.items()
    ):
        return False, f"installed, but of another version than this; {mend}"
    return True, f"installed in {krita_installation.package} and switched on"


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _gib(size: int) -> str:
    return f"{size / (1 << 30):.1f} GiB"
