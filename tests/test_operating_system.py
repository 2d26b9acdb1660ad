"""What the service asks of the system: here as it is, and where a test pretends another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from modelsheet import operating_system


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    for name, value in {"CREATE_NO_WINDOW": 8, "CREATE_NEW_PROCESS_GROUP": 2}.items():
        monkeypatch.setattr(subprocess, name, value, raising=False)
    monkeypatch.setattr(psutil, "BELOW_NORMAL_PRIORITY_CLASS", 16384, raising=False)


def test_windows_has_no_modes_locks_on_folders_and_limits(
    windows: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "open").touch(mode=0o666)
    priorities: list[int] = []
    monkeypatch.setattr(psutil.Process, "nice", lambda process, value: priorities.append(value))
    monkeypatch.setattr(operating_system, "resource", None, raising=False)
    monkeypatch.setattr(operating_system.os, "umask", None)

    assert operating_system.is_ours_without((tmp_path / "open").stat(), 0o077)
    operating_system.keep_new_files_private()
    assert operating_system.lock_folder(tmp_path) is None
    assert operating_system.allowed_cores() == sys.maxsize
    assert operating_system.raise_handle_limit(5000) == 5000
    operating_system.set_limit("RLIMIT_AS", 1)
    operating_system.lower_priority(10)
    assert priorities == [16384]
    assert operating_system.process_options() == {"creationflags": 10}
    operating_system.die_with_parent(os.getpid())  # there the pipe alone ends it


@pytest.mark.skipif(sys.platform == "win32", reason="it has no modes")
def test_others_rights_are_seen(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    file.chmod(0o640)

    assert not operating_system.is_ours_without(file.stat(), 0o077)
    assert operating_system.is_ours_without(file.stat(), 0o007)


@pytest.mark.skipif(sys.platform == "win32", reason="it has no such limit")
def test_the_limit_of_open_files_is_raised_as_far_as_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits: list[tuple[int, int]] = []
    resource = operating_system.resource
    monkeypatch.setattr(resource, "getrlimit", lambda name: (256, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda name, pair: limits.append(pair))

    assert operating_system.raise_handle_limit(10_000) == 4096
    assert operating_system.raise_handle_limit(100) == 256
    assert limits == [(4096, 4096)]

    def refuse(name: int, pair: tuple[int, int]) -> None:
        raise ValueError  # as macOS does above its second limit

    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert operating_system.raise_handle_limit(10_000) == 256
