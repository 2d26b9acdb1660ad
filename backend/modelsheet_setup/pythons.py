"""Find a Python for the backend: one of a version for which PyTorch has builds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .platforms import Platform
from .runner import ProgramFailed, Runner

# The bounds stand in the script: it runs in whatever is found.
_EXAMINE = (
    "import sys; print('%d.%d.%d' % sys.version_info[:3]); sys.stdout.flush(); "
    "sys.exit(3 if not (3, 10) <= sys.version_info[:2] < (3, 15) or sys.maxsize < 2**32 else 0)"
)


@dataclass(frozen=True)
class FoundPython:
    """An interpreter that can make virtual environments."""

    path: Path
    version: str


def find(platform: Platform, runner: Runner, named: Sequence[str] = ()) -> FoundPython | None:
    """Return the first fit interpreter of `named`, PATH and the usual folders.

    One without venv and ensurepip, as Debian has it, is none.
    """
    for path in _candidates(platform, named):
        found = examine(runner, path)
        if found and _answer(runner, path, "import ensurepip, venv") is not None:
            return found
    return None


def examine(runner: Runner, path: Path) -> FoundPython | None:
    """Return the interpreter with its version; None where it is unfit or does not run."""
    version = _answer(runner, path, _EXAMINE)
    return FoundPython(path, version) if version else None


def _answer(runner: Runner, python: Path, script: str) -> str | None:
    """Return what a script writes; None where it fails."""
    try:
        return runner.output([str(python), "-I", "-c", script]).strip()
    except (ProgramFailed, OSError):
        return None


def _candidates(platform: Platform, named: Sequence[str]) -> Iterator[Path]:
    seen: set[Path] = set()
    names = platform.python_names()
    on_path = [found for found in map(platform.which, names) if found]
    in_folders = [
        str(folder / name) + (".exe" if platform.is_windows else "")
        for folder in platform.python_folders()
        for name in names
    ]
    for text in (*named, *on_path, *in_folders):
        path = Path(text)
        if path not in seen and path.exists() and not platform.is_placeholder(path):
            seen.add(path)
            yield path
