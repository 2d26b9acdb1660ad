"""Run a module of ours in a Python process of its own.

`python -m` searches the folder it stands in first, so that a file that somebody put there would be
run. Such a process searches what its parent does, and no working folder.
"""

from __future__ import annotations

import os
import sys

_RUN = (
    "import sys; sys.path[:] = [entry for entry in sys.path if entry]; import runpy; "
    "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
)


def module_command(module: str, *arguments: str) -> list[str]:
    """Return the command that runs a module with arguments."""
    return [sys.executable, "-c", _RUN, module, *arguments]


def search_path() -> dict[str, str]:
    """Return the environment variable by which the process searches what this one does."""
    return {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
