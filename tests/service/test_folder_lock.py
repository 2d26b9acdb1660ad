"""One data folder has one service, whatever is tidied away in it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from modelsheet.service.folder_lock import FolderLock


def test_a_locked_folder_is_not_locked_twice(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)

    assert first.acquire(0.01)
    assert not second.acquire(0.01)
    first.release()
    assert second.acquire(0.01)
    second.release()


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be removed there")
def test_removing_the_lock_file_does_not_help(tmp_path: Path) -> None:
    first, second = FolderLock(tmp_path), FolderLock(tmp_path)
    assert first.acquire(0.01)
    (tmp_path / "service.lock").unlink()

    assert not second.acquire(0.01)
    first.release()
    assert second.acquire(0.01)
    second.release()


@pytest.mark.skipif(sys.platform == "win32", reason="a folder in use cannot be moved there")
def test_a_new_folder_in_place_of_a_moved_one_can_be_locked(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    first = FolderLock(folder)
    assert first.acquire(0.01)
    folder.rename(tmp_path / "moved")
    folder.mkdir()

    second = FolderLock(folder)

    assert second.acquire(0.01)
    second.release()
    first.release()
