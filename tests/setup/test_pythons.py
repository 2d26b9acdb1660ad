"""Which Python is taken, and what is said where there is none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modelsheet_setup import pythons
from modelsheet_setup.platforms import Platform
from modelsheet_setup.runner import Runner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its programs are shell scripts")


def program(folder: Path, name: str, script: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_an_unfit_python_is_passed_over(linux: Platform) -> None:
    unfit = program(linux.home / "bin", "python3.11", "echo 3.9.1; exit 3")
    runner = Runner(linux, linux.home / "log")

    found = pythons.find(linux, runner, [str(unfit)])

    assert found is not None
    assert found.path not in (unfit, Path("python3.11"))
    assert found.version.startswith("3.")


def test_a_named_one_counts_first(linux: Platform, tmp_path: Path) -> None:
    named = tmp_path / "a b" / "python"
    named.parent.mkdir()
    named.symlink_to(linux.home / "bin/python3")

    found = pythons.find(linux, Runner(linux, tmp_path / "log"), [str(named)])

    assert found is not None
    assert found.path == named


def test_none_is_none(linux: Platform, tmp_path: Path) -> None:
    nowhere = replace(linux, environment={"PATH": str(tmp_path)})

    assert pythons.find(nowhere, Runner(nowhere, tmp_path / "log")) is None


def test_one_without_venv_is_none(linux: Platform) -> None:
    platform = replace(linux, environment={**linux.environment, "NO_VENV": "1"})

    assert pythons.find(platform, Runner(platform, linux.home / "log")) is None
