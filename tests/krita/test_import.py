"""The plugin's zip through Krita's own importer in a clean profile, and then at work."""

from __future__ import annotations

import shutil
from pathlib import Path

from modelsheet import krita_install, kritarc
from tests.krita import harness

STEPS = Path(__file__).parent / "steps"
PATIENCE_S = 600.0


def test_the_zip_is_importable_and_works(tmp_path: Path) -> None:
    home, archive = tmp_path / "home", tmp_path / "modelsheet-krita.zip"
    krita_install.build_zip(archive)
    shutil.copytree(harness.HERE / "driver", home / ".local/share/krita/pykrita")
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_driver")
    (home / "run").mkdir(mode=0o700)

    first = harness.run(
        STEPS / "importer.py",
        home,
        tmp_path / "first",
        environment={"IMPORT_ZIP": str(archive)},
        timeout_s=PATIENCE_S,
    )
    # As the artist ticks it in Settings > Configure Krita > Python Plugin Manager.
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_krita")
    second = harness.run(STEPS / "imported.py", home, tmp_path / "second", timeout_s=PATIENCE_S)

    assert not first.report["docker before"]
    assert first.report["imported"] == ["modelsheet_krita"]
    assert first.report["files"] == [
        "pykrita/modelsheet_krita",
        "pykrita/modelsheet_krita.desktop",
    ]
    assert first.report["action"]
    assert second.report["said"].startswith("No backend is installed on this computer.")
