"""The backend's virtual environment: made step by step, each of them done once."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from .errors import SetupError
from .failures import explain
from .pythons import FoundPython
from .runner import ProgramFailed, Runner
from .torch_build import TORCH_VERSION, choose

STAMP = "modelsheet-stamp"
_WHO = "import sys; print(sys.version, sys.executable)"
_TRIAL = "import torch, modelsheet.cli.main"  # a library of the system may be missing
_QUIET = ("--disable-pip-version-check",)


@dataclass(frozen=True)
class Source:
    """Record of what is installed.

    In `folder` lie constraints.txt and requirements.txt, the lock. `backend` are pip's arguments
    for the backend itself, relative to it, and `files` those of which it is made: their change asks
    for installing it again.
    """

    folder: Path
    backend: tuple[str, ...]
    files: tuple[str, ...]

    @property
    def lock_key(self) -> str:
        return self._key()

    @property
    def backend_key(self) -> str:
        return self._key(*self.files)

    def _key(self, *more: str) -> str:
        names = ("constraints.txt", "requirements.txt", *more)
        return _digest(b"\0".join((self.folder / name).read_bytes() for name in names))


@dataclass
class Progress:
    """Called as setting up goes on, on the thread that sets up.

    With the name of each stage and the part (0 to 1) of all the work that lies before it, remarks,
    and the lines of the programs that run.
    """

    stage: Callable[[str, float], None] = field(default=lambda text, begun: None)
    note: Callable[[str], None] = field(default=lambda text: None)
    line: Callable[[str], None] = field(default=lambda text: None)


class Environment:
    """A virtual environment in `folder` for one accelerator.

    `extras` are optional dependencies of the project, for developers.
    """

    def __init__(
        self,
        folder: Path,
        source: Source,
        runner: Runner,
        *,
        accelerator: str,
        extras: str = "",
        progress: Progress | None = None,
    ) -> None:
        self.folder, self._source, self._runner = folder, source, runner
        self._accelerator, self._extras = accelerator, extras
        self._progress = progress or Progress()
        self._python = runner.platform.environment_python(folder)
        self._log = runner.log
        self._torch_options: tuple[str, ...] = ()

    def is_up_to_date(self, python: FoundPython) -> bool:
        """Tell whether it is complete; one with more extras than asked for will do."""
        made = read_stamp(self.folder)
        return (
            self._python.exists()
            and made.get("base") == self._base_key(python)
            and made.get("packages") == self._source.lock_key
            and made.get("backend") == self._source.backend_key
            and (not self._extras or made.get("extras") == self._extras)
        )

    def set_up(self, python: FoundPython) -> None:
        """Do the steps that are not done. Raises SetupError, SetupCancelled."""
        base, lock = self._base_key(python), self._source.lock_key
        made = read_stamp(self.folder)
        if made.get("base") != base or not self._python.exists():
            made = {"base": base, "python": str(python.path)}
            self._stage("The virtual environment", 0.0, lambda: self._make(python), made)
        if made.get("packages") != lock:
            made |= {"packages": lock, "backend": ""}
            text = "The packages, compared with their checksums"
            self._stage(text, 0.05, self._install_packages, made)
        if made.get("torch") != TORCH_VERSION:
            made |= {"torch": TORCH_VERSION}
            self._stage(f"PyTorch {TORCH_VERSION}", 0.4, self._install_torch, made)
        made |= {"backend": self._source.backend_key, "extras": self._extras}
        self._stage("The backend", 0.9, self._install_backend, made)

    def _stage(
        self, text: str, begun: float, action: Callable[[], None], made: dict[str, str]
    ) -> None:
        """Do a step and note what is made then."""
        self._progress.stage(text, begun)
        try:
            action()
            self._note(made)
        except ProgramFailed as failure:
            raise explain(text, failure.output, self._log) from None
        except OSError as error:
            raise explain(text, str(error), self._log) from None

    def _note(self, made: dict[str, str]) -> None:
        # By a rename: on a full disk the earlier note stays.
        stamp = self.folder / STAMP
        partial = stamp.with_suffix(".part")
        partial.write_text(json.dumps(made), encoding="utf-8")
        partial.replace(stamp)

    def _make(self, python: FoundPython) -> None:
        refuse_foreign(self.folder)
        remove_environment(self.folder)
        self.folder.mkdir(mode=0o700, parents=True)
        (self.folder / STAMP).touch()  # from here on it is known as ours
        self._run([str(python.path), "-I", "-m", "venv", str(self.folder)])

    def _install_packages(self) -> None:
        self._pip("--require-hashes", "--no-deps", "--requirement", "requirements.txt")

    def _install_torch(self) -> None:
        build = choose(self._accelerator, self._runner.platform.system, self._offer)
        if not build.is_fit:
            self._progress.note(
                "PyTorch's own index of CPU builds does not answer; taking the ordinary build."
            )
        self._progress.note(f"torch {build.version}")
        self._torch_options = build.options
        self._pip(*build.options, f"torch=={build.version}")

    def _offer(self, options: Sequence[str]) -> str | None:
        """Return the build of PyTorch that pip would take with these options."""
        asked = ("--dry-run", "--no-deps", "--quiet", "--ignore-installed", "--report", "-")
        command = self._pip_command(*asked, *options, f"torch=={TORCH_VERSION}")
        try:
            report = self._runner.output(command, folder=self._source.folder)
            return str(json.loads(report)["install"][0]["metadata"]["version"])
        except (ProgramFailed, ValueError, LookupError):
            return None

    def _install_backend(self) -> None:
        options = ["--no-build-isolation"]  # hatchling is among the packages
        if not self._extras:  # those of developers are pinned, without checksums
            options.append("--no-deps")
        *flags, backend = self._source.backend
        if not flags:  # a wheel of the same version may be another one
            options.append("--force-reinstall")
        named = f"{backend}[{self._extras}]" if self._extras else backend
        self._pip(*self._torch_options, *options, *flags, named)
        self._run([str(self._python), "-I", "-c", _TRIAL])

    def _pip(self, *arguments: str) -> None:
        self._run(self._pip_command(*arguments))

    def _pip_command(self, *arguments: str) -> list[str]:
        return [str(self._python), "-I", "-m", "pip", *_QUIET, "install", *arguments]

    def _run(self, command: Sequence[str]) -> None:
        # By a relative name, because pip splits PIP_CONSTRAINT at spaces.
        self._runner.variables["PIP_CONSTRAINT"] = "constraints.txt"
        self._runner.run(command, folder=self._source.folder, on_line=self._progress.line)

    def _base_key(self, python: FoundPython) -> str:
        """Return the key of what only a new environment can change."""
        try:
            who = self._runner.output([str(python.path), "-I", "-c", _WHO])
        except (ProgramFailed, OSError) as error:
            raise SetupError(
                f"{python.path} cannot be run ({error}). Name another Python in PYTHON."
            ) from None
        return _digest(f"{who}{self.folder} {self._accelerator} {TORCH_VERSION}".encode())


def read_stamp(folder: Path) -> dict[str, str]:
    """Return what an environment was made of; nothing of one that was not begun."""
    try:
        made = json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return made if isinstance(made, dict) else {}


def is_ours(folder: Path) -> bool:
    """Tell whether this package made the environment in `folder`."""
    return (folder / STAMP).is_file()


def refuse_foreign(folder: Path) -> None:
    """Raise SetupError if the folder holds what this package did not make."""
    if folder.exists() and not is_ours(folder):
        raise SetupError(
            f"There is a {folder} that Modelsheet did not make. Move it away, then try again."
        )


def remove_environment(folder: Path) -> None:
    """Remove an environment; a file that is in use stays and raises OSError.

    The stamp goes last, emptied first: what an interrupted removal leaves is known as ours and as
    incomplete.
    """
    if not folder.exists():
        return
    (folder / STAMP).write_bytes(b"")
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        elif path.name != STAMP:
            path.unlink()
    shutil.rmtree(folder)


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
