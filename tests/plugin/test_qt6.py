"""All tests of the docker once more, under the Qt of Krita 6."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.paths import ROOT
from tests.plugin import binding


@pytest.mark.skipif(binding.MAJOR == 6, reason="this is the run under PyQt6")
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_docker_lives_under_qt_6() -> None:
    pytest.importorskip("PyQt6.QtWidgets", reason="PyQt6 is not usable", exc_type=ImportError)

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "tests/plugin"],
        cwd=ROOT,
        env={**os.environ, "MODELSHEET_QT": "6", "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout[-4000:]
    assert " passed" in run.stdout
