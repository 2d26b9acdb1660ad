"""The plugin's start: it never raises, and a docker says what is missing."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import PLUGIN, ROOT
from tests.plugin import binding

SCRIPT = """
import sys
sys.path[:0] = [{folder!r}, {root!r}]
import {binding}.QtWidgets as widgets
application = widgets.QApplication([])
from tests.plugin import fake_krita
sys.modules["krita"] = fake_krita
{before}
import modelsheet_krita
docker = fake_krita.Krita.instance().factories[-1].kind()
label = docker.findChild(widgets.QLabel, "modelsheet_fallback")
sys.stdout.write(label.text() if label else "the real docker")
"""


def start(folder: Path, before: str = "") -> str:
    """Start the plugin in `folder` in a Python of its own; return what its docker says."""
    script = SCRIPT.format(
        folder=str(folder), root=str(ROOT), binding=f"PyQt{binding.MAJOR}", before=before
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=folder
    )
    return run.stdout


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The plugin copied by hand: without its own requests."""
    unbuilt = shutil.ignore_patterns("_vendor", "__pycache__", "backend.json")
    shutil.copytree(PLUGIN, tmp_path / "modelsheet_krita", ignore=unbuilt)
    return tmp_path


def test_missing_requests_are_named_with_the_way_to_mend_it(copied: Path) -> None:
    told = start(copied)

    assert "its copy of the package “requests” is missing" in told
    assert "Run ./install.sh again" in told


def test_an_old_python_is_named(copied: Path) -> None:
    told = start(copied, before="sys.version_info = (3, 9, 18)")

    assert told == "Krita's Python is 3.9; Modelsheet needs 3.10. Install a newer Krita."


def test_a_broken_file_is_named(copied: Path) -> None:
    (copied / "modelsheet_krita" / "app" / "docker.py").write_text(
        "import nonsense_that_is_nowhere\n"
    )

    told = start(copied)

    assert "ModuleNotFoundError: No module named 'nonsense_that_is_nowhere'" in told
    assert "Run ./install.sh again" in told
