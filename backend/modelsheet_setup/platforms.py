"""Everything in which Linux, macOS and Windows differ for setting up: the only module that asks.

A `Platform` is a value, so that a test can pretend any of them on any other.
"""

from __future__ import annotations

import contextlib
import os
import platform as python_platform
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

if sys.platform == "win32":
    import msvcrt
    import winreg

    _MACHINE = winreg.HKEY_LOCAL_MACHINE
else:
    import fcntl

APP = "modelsheet"
WINDOWS_PATH = 259  # characters, where long paths are not switched on
POSIX_PATH = 4095  # bytes
# A Krita's own Python and Qt, and an AppImage's libraries, must not leak into other programs.
FOREIGN_PREFIXES = ("PYTHON", "QT_", "LD_LIBRARY_PATH", "LD_PRELOAD", "VIRTUAL_ENV", "DYLD_")
_CREATE_NO_WINDOW = 0x08000000
_CREATE_NEW_PROCESS_GROUP = 0x00000200
_STORE_STUBS = "\\microsoft\\windowsapps\\"  # they open the Store instead of running Python
_DEVELOPER_TOOLS = (  # without them macOS's own python3 opens a dialog that offers these
    Path("/Library/Developer/CommandLineTools/usr/bin/python3"),
    Path("/Applications/Xcode.app/Contents/Developer/usr/bin/python3"),
)


@dataclass(frozen=True)
class Platform:
    """A computer as setting up sees it. `system` is as sys.platform; `machine` as uname has it."""

    system: str
    machine: str
    environment: Mapping[str, str]
    home: Path

    @classmethod
    def current(cls, environment: Mapping[str, str] = os.environ) -> Platform:
        """Return this computer."""
        home = environment.get("HOME") if sys.platform != "win32" else None
        return cls(sys.platform, python_platform.machine(), environment, Path(home or Path.home()))

    @property
    def is_windows(self) -> bool:
        return self.system == "win32"

    @property
    def architecture(self) -> str:
        """x86_64 or arm64 for the names that systems give them; others as they are."""
        name = self.machine.lower()
        return {"amd64": "x86_64", "aarch64": "arm64"}.get(name, name)

    def data_folder(self, home: str | None = None) -> Path:
        """Return the backend's data folder. `home` is taken instead of MODELSHEET_HOME."""
        root = home or self.environment.get("MODELSHEET_HOME", "").strip()
        if root:
            return Path(root).expanduser().absolute() / "data"
        if self.is_windows:
            return self._variable_folder("LOCALAPPDATA", "AppData/Local") / APP
        if self.system == "darwin":
            return self.home / "Library/Application Support" / APP
        return self._variable_folder("XDG_DATA_HOME", ".local/share") / APP

    def environment_python(self, folder: Path) -> Path:
        """Return the interpreter of the virtual environment in `folder`."""
        return folder / ("Scripts/python.exe" if self.is_windows else "bin/python")

    def python_names(self) -> tuple[str, ...]:
        """Return what interpreters are called on PATH, the best tested version first."""
        versions = ("3.11", "3.12", "3.13", "3.10", "3.14")
        plain = ("python3", "python")
        return plain if self.is_windows else (*(f"python{one}" for one in versions), plain[0])

    def python_folders(self) -> tuple[Path, ...]:
        """Return folders that hold interpreters, or folders with one, and may not be on PATH."""
        if self.is_windows:
            programs = self._variable_folder("LOCALAPPDATA", "AppData/Local") / "Programs/Python"
            roots = (programs, Path(self.environment.get("ProgramFiles") or "C:/Program Files"))
            return tuple(found for root in roots for found in sorted(root.glob("Python3*")))
        if self.system == "darwin":
            versions = Path("/Library/Frameworks/Python.framework/Versions")
            framework = sorted(versions.glob("3.*/bin"))
            return (Path("/opt/homebrew/bin"), Path("/usr/local/bin"), *framework)
        return (Path("/usr/local/bin"), Path("/usr/bin"))

    def is_placeholder(self, python: Path) -> bool:
        """Tell whether an interpreter is only an offer to install one."""
        if self.is_windows:
            return _STORE_STUBS in str(python).lower().replace("/", "\\")
        if self.system == "darwin" and python == Path("/usr/bin/python3"):
            return not any(tool.exists() for tool in _DEVELOPER_TOOLS)
        return False

    def clean_environment(self) -> dict[str, str]:
        """Copy the environment without what belongs to Krita's own Python, Qt and AppImage."""
        kept = {
            name: value
            for name, value in self.environment.items()
            if not name.upper().startswith(FOREIGN_PREFIXES)
        }
        inside = kept.get("APPDIR")
        if inside:
            separator = ";" if self.is_windows else ":"
            parts = kept.get("PATH", "").split(separator)
            kept["PATH"] = separator.join(one for one in parts if not one.startswith(inside))
        return kept

    def process_options(self) -> dict[str, Any]:
        """Return Popen's options for a program without a window that can be ended with its own."""
        if self.is_windows:
            return {"creationflags": _CREATE_NO_WINDOW | _CREATE_NEW_PROCESS_GROUP}
        return {"start_new_session": True}

    def end_process(self, process: subprocess.Popen[bytes]) -> None:
        """End a process that `process_options` started, and what it started."""
        if self.is_windows:
            command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
            subprocess.run(command, capture_output=True, check=False, **self.process_options())
        else:
            kill_group(process.pid)

    def temporary_folder_variables(self, folder: Path) -> dict[str, str]:
        """Return the variables that make programs use `folder` for temporary files."""
        return dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(folder))

    def longest_path(self) -> int:
        """Return how many characters a path may have."""
        return WINDOWS_PATH if self.is_windows and not has_long_paths() else POSIX_PATH

    def pip_configurations(self) -> tuple[Path, ...]:
        """Return pip's configuration files, a later one over an earlier one."""
        named = self.environment.get("PIP_CONFIG_FILE", "")
        own = (Path(named),) if named else ()
        if named == os.devnull:
            return ()
        if self.is_windows:
            shared = self._variable_folder("PROGRAMDATA", "C:/ProgramData") / "pip/pip.ini"
            old = self.home / "pip/pip.ini"
            user = self._variable_folder("APPDATA", "AppData/Roaming") / "pip/pip.ini"
            return (shared, old, user, *own)
        config = self._variable_folder("XDG_CONFIG_HOME", ".config")
        old = self.home / ".pip/pip.conf"
        if self.system == "darwin":
            support = Path("Library/Application Support/pip/pip.conf")
            user = self.home / support
            if not user.parent.is_dir():
                user = self.home / ".config/pip/pip.conf"
            return (Path("/") / support, old, user, *own)
        listed = self.environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        shared_ones = [Path(one) / "pip/pip.conf" for one in reversed(listed.split(":")) if one]
        return (*shared_ones, Path("/etc/pip.conf"), old, config / "pip/pip.conf", *own)

    def which(self, program: str) -> str | None:
        """Find a program on PATH."""
        return shutil.which(program, path=self.environment.get("PATH", os.defpath))

    def _variable_folder(self, variable: str, otherwise: str) -> Path:
        named = self.environment.get(variable)
        return Path(named) if named else self.home / otherwise


def is_private(path: Path) -> bool:
    """Tell whether it is a regular file that only this user can read.

    On Windows the access list of the user's profile keeps others out.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        return False
    if sys.platform == "win32":
        return True
    else:
        return status.st_uid == os.getuid() and not status.st_mode & 0o077


def kill_group(pid: int) -> None:
    """Kill a POSIX process group; one that has ended is no error."""
    if sys.platform != "win32":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def has_long_paths() -> bool:
    """Tell whether Windows allows paths of more than 260 characters."""
    if sys.platform == "win32":
        place = r"SYSTEM\CurrentControlSet\Control\FileSystem"
        with contextlib.suppress(OSError), winreg.OpenKey(_MACHINE, place) as key:
            return bool(winreg.QueryValueEx(key, "LongPathsEnabled")[0])
    return False


def try_lock(file: IO[bytes]) -> bool:
    """Lock an open file for this process until it is closed; False if another one has it."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
