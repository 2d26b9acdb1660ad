"""The zip, imported by Krita's own importer into a clean profile, sets the backend up.

The sample is learnt and painted then. All is downloaded, so it runs only when asked for.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from modelsheet.krita_setup import install, kritarc
from tests.krita import harness
from tests.paths import KRITA_STEPS

PATIENCE_S = 3600.0
# What pip and uv are set up with on this computer.
NETWORK = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")


@pytest.mark.skipif(
    not os.environ.get("MODELSHEET_TEST_SETUP"),
    reason="downloads the backend's packages: MODELSHEET_TEST_SETUP=1 runs it",
)
@pytest.mark.timeout(2 * PATIENCE_S)
def test_from_the_zip_to_the_first_picture(tmp_path: Path) -> None:
    home, archive = tmp_path / "Zoë Müller", tmp_path / "modelsheet_krita.zip"
    install.build_zip(archive)
    shutil.copytree(harness.HERE / "driver", home / ".local/share/krita/pykrita")
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_driver")
    (home / "run").mkdir(mode=0o700)
    network = {name: value for name, value in os.environ.items() if name.startswith(NETWORK)}

    harness.run(
        KRITA_STEPS / "importer.py",
        home,
        tmp_path / "first",
        environment={"IMPORT_ZIP": str(archive)},
        timeout_s=PATIENCE_S,
    )
    # As the artist ticks it in Settings > Configure Krita > Python Plugin Manager.
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_krita")
    try:
        run = harness.run(
            KRITA_STEPS / "setup.py",
            home,
            tmp_path / "second",
            environment={**network, "MODELSHEET_DRIVER_PATIENCE_S": "1800"},
            timeout_s=PATIENCE_S,
        )
    finally:
        harness.stop_service(home / ".local/state/modelsheet")

    data = home / ".local/share/modelsheet"
    assert run.report["said"].startswith("No backend is set up on this computer yet.")
    assert str(data / "backend") in run.report["plan"]
    assert run.report["stopped"].startswith("Stopped.")
    assert run.report["go on"] == "Go On"
    assert run.report["outcome"].startswith("Done.")
    assert run.report["subject"].startswith("Hero\n@hero · ")
    assert run.report["layers"] == 3
    assert sorted(path.name for path in (data / "backend").iterdir()) == [
        "lock",
        "setup.log",
        "venv",
    ]
