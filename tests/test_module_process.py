"""Our processes import from where their parent does, and never from the folder they stand in."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import modelsheet
from modelsheet.module_process import module_command, search_path


def test_nothing_is_imported_from_the_working_folder(tmp_path: Path) -> None:
    for module in ("modelsheet", "runpy", "argparse", "sitecustomize", "usercustomize", "pydantic"):
        (tmp_path / f"{module}.py").write_text("raise SystemExit('imported')")

    completed = subprocess.run(
        module_command("modelsheet", "--version"),
        cwd=tmp_path,
        env={**os.environ, **search_path()},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )

    assert modelsheet.__version__ in completed.stdout
