"""The systemd unit that the guide tells to copy."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

UNIT = ROOT / "docs/modelsheet.service"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "modelsheet/.venv/bin/modelsheet"  # where the unit expects it, under %h
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    runtime = tmp_path / "run"
    runtime.mkdir(0o700)

    run = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", str(UNIT)],
        env={**os.environ, "HOME": str(tmp_path), "XDG_RUNTIME_DIR": str(runtime)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (run.returncode, run.stderr) == (0, "")
