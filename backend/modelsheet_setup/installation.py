"""The backend that Krita's plugin sets up: an environment of its own below the data folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from . import graphics_card, package_indexes, pythons, uv_wheel
from .disk import GB, check_disk, free_bytes
from .environment import (
    Environment,
    Progress,
    Source,
    is_ours,
    read_stamp,
    refuse_foreign,
    remove_environment,
)
from .errors import SetupError
from .failures import explain
from .graphics_card import GraphicsCard
from .platforms import Platform, try_lock
from .pythons import FoundPython
from .runner import ProgramFailed, Runner

PAYLOAD = Path(__file__).with_name("payload")  # in the plugin's zip
LONGEST_INSIDE = 185  # characters of the longest path inside the environment, PyTorch's licences
_PYTHON_MB = 35
_PYTHON_VERSION = "3.12"


@dataclass(frozen=True)
class Plan:
    """State of this computer, and what setting up would download and where to."""

    folder: Path
    card: GraphicsCard
    python: FoundPython | None
    free_gb: int

    @property
    def download_mb(self) -> int:
        own_python = 0 if self.python else uv_wheel.UV_MB + _PYTHON_MB
        return self.card.packages_mb + self.card.torch_mb + own_python


def disk_gb(card: GraphicsCard) -> int:
    """Return what setting up needs at most, with each download there twice for a while."""
    return card.disk_gb + 2 * (card.packages_mb + card.torch_mb) // 1000 + 1


class Installation:
    """The backend in the folder `backend` of the data folder, from a wheel with its lock.

    `payload` is the folder with the wheel, requirements.txt and constraints.txt. `plan`, `set_up`,
    `repair` and `remove` take long; after `cancel` a new object is needed.
    """

    def __init__(self, platform: Platform, data_folder: Path, payload: Path = PAYLOAD) -> None:
        self.folder = data_folder / "backend"
        self.log = self.folder / "setup.log"
        self._platform, self._payload = platform, payload
        self._venv = self.folder / "venv"
        self._temporary = self.folder / "tmp"
        self._runner = Runner(platform, self.log)

    @property
    def command(self) -> tuple[str, ...]:
        """Return the command that starts the backend; empty where it is not complete."""
        python = self._platform.environment_python(self._venv)
        if not self.is_complete or not python.exists():
            return ()
        return (str(python), "-I", "-m", "modelsheet", "serve")

    @property
    def is_complete(self) -> bool:
        return bool(read_stamp(self._venv).get("backend"))

    @property
    def is_begun(self) -> bool:
        return is_ours(self._venv)

    @property
    def downloaded_mb(self) -> int:
        """Return what the step that runs has downloaded."""
        size = 0
        with suppress(OSError):  # pip removes each folder, and this whole one at the end
            for folder in self._temporary.glob("pip-unpack-*"):
                with suppress(OSError):
                    size += sum(path.stat().st_size for path in folder.iterdir())
        return size // 10**6

    def is_outdated(self) -> bool:
        """Tell whether the plugin brings another backend than the one that is installed."""
        return self.is_complete and read_stamp(self._venv)["backend"] != self._source().backend_key

    def plan(self) -> Plan:
        """Look what is there. Raises SetupError."""
        return Plan(
            self.folder,
            graphics_card.detect(self._platform, self._runner),
            self._find_python(),
            free_bytes(self.folder) // GB,
        )

    def set_up(self, progress: Progress) -> None:
        """Install what is missing; what an earlier, interrupted call did is kept.

        Raises SetupError, SetupCancelled.
        """
        with self._locked():
            try:
                self._set_up(progress)
            except OSError as error:
                raise explain("Setting up the backend", str(error), self.log) from None

    def _set_up(self, progress: Progress) -> None:
        self._check_paths()
        self.log.unlink(missing_ok=True)
        card = graphics_card.detect(self._platform, self._runner)
        refuse_foreign(self._venv)
        if not self.is_begun:
            check_disk(self.folder, disk_gb(card))
        python = self._find_python() or self._fetch_python(progress)
        environment = Environment(
            self._venv,
            self._source(),
            self._runner,
            accelerator=card.accelerator,
            progress=progress,
        )
        if not environment.is_up_to_date(python):  # by another Krita, meanwhile
            environment.set_up(python)
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def repair(self, progress: Progress) -> None:
        """Install all again. Raises SetupError, SetupCancelled."""
        with self._locked():
            self._remove_environment()
        self.set_up(progress)

    def remove(self) -> None:
        """Remove all that setting up made; what was learnt stays. Raises SetupError."""
        if not self.folder.exists():
            return
        with self._locked():
            self._remove_environment()
        try:
            shutil.rmtree(self.folder)
        except OSError as error:
            raise _in_use(error) from None

    def cancel(self) -> None:
        """End what runs; `set_up` goes on from there another time."""
        self._runner.cancel()

    def _source(self) -> Source:
        wheels = sorted(self._payload.glob("modelsheet-*.whl"))
        if len(wheels) != 1:
            raise SetupError(
                "The plugin does not bring its backend. Import modelsheet_krita.zip again."
            )
        return Source(self._payload, (wheels[0].name,), (wheels[0].name,))

    def _find_python(self) -> FoundPython | None:
        """Return the Python of the environment, else uv's, else one of this computer."""
        name = "python.exe" if self._platform.is_windows else f"bin/python{_PYTHON_VERSION}"
        own = sorted((self.folder / "python").glob(f"cpython-*/{name}"))
        made_with = read_stamp(self._venv).get("python", "")
        named = [made_with] if made_with else []
        return pythons.find(self._platform, self._runner, [*named, *map(str, own)])

    def _fetch_python(self, progress: Progress) -> FoundPython:
        step = "A Python for the backend"
        progress.stage(step, 0.0)
        indexes = package_indexes.read(self._platform)
        target = self.folder / "python"
        try:
            uv = uv_wheel.fetch_uv(self._platform, indexes, self.folder / "uv", self._runner.check)
            command = [str(uv), "python", "install", "--no-bin", "--no-config", "--install-dir"]
            self._runner.run([*command, str(target), _PYTHON_VERSION], on_line=progress.line)
        except (ProgramFailed, OSError) as failure:
            raise SetupError(
                f"{explain(step, str(failure), self.log)} Or install a Python from 3.10 to 3.14 "
                "yourself, from python.org or your distribution."
            ) from None
        found = self._find_python()
        if found is None:
            raise SetupError(
                "No Python from 3.10 to 3.14 was found, and the one that was fetched does not run. "
                "Install one from python.org, then try again."
            )
        return found

    def _check_paths(self) -> None:
        longest = len(str(self._venv)) + LONGEST_INSIDE
        if longest > self._platform.longest_path():
            raise SetupError(
                f"Paths in {self.folder} would be too long for Windows. Name a shorter folder in "
                "MODELSHEET_HOME, like C:\\modelsheet, then start Krita again."
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the folder against a second Krita, and keep temporary files and pip's in it."""
        try:
            self._temporary.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = (self.folder / "lock").open("ab")
        except OSError as error:
            raise SetupError(
                f"{self.folder} cannot be written ({error.strerror}). Correct that, or name "
                "another folder in MODELSHEET_HOME, or use another computer's backend."
            ) from None
        with lock:
            if not try_lock(lock):
                raise SetupError(
                    "Another Krita is setting up the backend. Wait until it is done, then try "
                    "again."
                )
            self._runner.variables.update(
                self._platform.temporary_folder_variables(self._temporary),
                PIP_CACHE_DIR=str(self.folder / "cache"),
                PIP_USER="0",  # as some pip.conf has it, which an environment refuses
                UV_CACHE_DIR=str(self.folder / "cache"),
            )
            try:
                yield
            finally:
                shutil.rmtree(self._temporary, ignore_errors=True)

    def _remove_environment(self) -> None:
        refuse_foreign(self._venv)
        try:
            remove_environment(self._venv)
        except OSError as error:
            raise _in_use(error) from None


def _in_use(error: OSError) -> SetupError:
    return SetupError(
        f"{error.filename} cannot be removed ({error.strerror}): the backend or a virus scanner "
        "still uses it. Wait a minute, then try again."
    )
