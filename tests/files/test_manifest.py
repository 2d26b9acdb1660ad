"""Files and folders are flushed to the disk as far as the system can."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.files import manifest


@pytest.mark.parametrize(("is_windows", "flushed"), [(False, 2), (True, 1)])
def test_windows_flushes_no_folders(
    is_windows: bool, flushed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"content")
    calls: list[int] = []
    monkeypatch.setattr(manifest, "IS_WINDOWS", is_windows)
    monkeypatch.setattr(manifest.os, "fsync", calls.append)

    for path in (tmp_path, file):
        manifest.fsync(path)

    assert len(calls) == flushed
