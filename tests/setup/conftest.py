"""Computers that setting up meets: pretended ones, and this one with a fake Python."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from modelsheet_setup.platforms import Platform
from tests.fake_python import write_fake_python

Computer = Callable[..., Platform]


@pytest.fixture
def computer(tmp_path: Path) -> Computer:
    """Make a computer with an empty home: `computer("win32", LOCALAPPDATA=...)`."""

    def make(system: str = "linux", machine: str = "x86_64", **environment: str) -> Platform:
        home = tmp_path / "home"
        home.mkdir(exist_ok=True)
        return Platform(system, machine, {"PATH": str(tmp_path / "bin"), **environment}, home)

    return make


@pytest.fixture
def linux(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A Linux computer with one Python, which plays pip and has PyTorch for the processor."""
    monkeypatch.setattr(Platform, "python_names", lambda self: ("python3",))
    monkeypatch.setattr(Platform, "python_folders", lambda self: ())
    folder = tmp_path / "bin"
    folder.mkdir()
    write_fake_python(folder)
    environment = {
        "PATH": f"{folder}{os.pathsep}{os.defpath}",
        "HOME": str(tmp_path),
        "CALLS": str(tmp_path / "calls"),
        "OFFERS": "- 2.13.0+cpu",
    }
    return Platform("linux", "x86_64", environment, tmp_path)
