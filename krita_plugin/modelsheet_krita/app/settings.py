"""Preferences in Krita's settings, and the paths of this computer's backend."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from krita import Krita

from ..backend.client import Address
from ..backend.launcher import LaunchPlan
from ..backend.local_installation import LocalInstallation
from ..controllers.saved_state import SavedState

GROUP = "modelsheet"


@dataclass(frozen=True)
class BackendChoice:
    """Choice between this computer's backend and the one at a URL."""

    is_remote: bool
    url: str
    token: str

    @property
    def address(self) -> Address:
        """URL and token of the remote backend."""
        return Address(self.url, self.token)


class Preferences(SavedState):
    """Preferences and saved state in Krita's own settings file; no token goes into a document."""

    def __init__(self) -> None:
        super().__init__(_read, _write)

    def backend(self) -> BackendChoice:
        """Return the artist's choice of backend."""
        return BackendChoice(_read("backend", "local") == "remote", _read("url"), _read("token"))

    def set_backend(self, choice: BackendChoice) -> None:
        """Store the artist's choice of backend."""
        _write("backend", "remote" if choice.is_remote else "local")
        _write("url", choice.url)
        _write("token", choice.token)

    def count(self) -> int:
        """Return the number of images to generate."""
        return _number(_read("count"), 4)

    def set_count(self, count: int) -> None:
        """Store the number of images to generate."""
        _write("count", str(count))

    def take_first_time(self) -> bool:
        """Return True on the first call since the plugin was installed."""
        is_first = not _read("seen")
        if is_first:
            _write("seen", "yes")
        return is_first


def _read(name: str, default: str = "") -> str:
    return str(Krita.instance().readSetting(GROUP, name, default))


def _write(name: str, value: str) -> None:
    Krita.instance().writeSetting(GROUP, name, value)


def motions_folder() -> Path:
    """Return the folder for the artist's own motions, beside Krita's other resources."""
    return Path(Krita.instance().getAppDataLocation()) / "modelsheet-motions"


def launch_plan(environment: Mapping[str, str] = os.environ) -> LaunchPlan:
    """Read backend.json, which ./install.sh wrote into the plugin's folder; without one take the
    backend that the plugin has set up.
    """
    command, home = _installed(Path(__file__).parents[1] / "backend.json")
    installation = LocalInstallation(home, environment)
    state = state_folder(home, environment, sys.platform)
    return LaunchPlan(
        command=command or installation.command,
        home=home,
        connection_file=state / "run" / "server.json",
        log_file=state / "log" / "started-by-krita.log",
        can_set_up=installation.is_offered,
    )


def state_folder(home: str | None, environment: Mapping[str, str], platform: str) -> Path:
    """Return the folder of the connection file; the backend computes the same one."""
    root = home or environment.get("MODELSHEET_HOME", "").strip()
    if root:
        return Path(root).expanduser().absolute()
    user = Path(environment.get("HOME") or Path.home())
    if platform == "darwin":
        return user / "Library/Application Support/modelsheet"
    if platform == "win32":
        return Path(environment.get("LOCALAPPDATA") or user / "AppData/Local") / "modelsheet"
    return Path(environment.get("XDG_STATE_HOME") or user / ".local/state") / "modelsheet"


def _installed(path: Path) -> tuple[tuple[str, ...], str | None]:
    if not path.is_file():
        return (), None
    entries = json.loads(path.read_text(encoding="utf-8"))
    return tuple(entries["command"]), entries.get("home")


def _number(text: str, default: int) -> int:
    return int(text) if text.isdigit() else default
