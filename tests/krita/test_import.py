"""The plugin's zip through Krita's own importer in a clean profile, and then the whole road with a
backend that is reached by URL and token.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelsheet.krita_setup import install, kritarc
from tests.krita import harness
from tests.krita.conftest import TOY
from tests.paths import KRITA_STEPS

STEPS = KRITA_STEPS
PATIENCE_S = 600.0


@contextmanager
def running_service(home: Path) -> Iterator[Path]:
    """A backend with the toy runner; yields its connection file once it is there."""
    connection = home / "run" / "server.json"
    service = subprocess.Popen(
        [sys.executable, str(harness.HERE / "service.py"), TOY],
        env={**os.environ, "MODELSHEET_HOME": str(home)},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + PATIENCE_S
        while not connection.is_file():
            assert service.poll() is None, "the service ended at once"
            assert time.monotonic() < deadline, "the service does not come up"
            time.sleep(0.05)  # a process that starts has nothing to wait on
        yield connection
    finally:
        service.terminate()
        service.wait(PATIENCE_S)


def test_the_zip_is_importable_and_works(tmp_path: Path) -> None:
    home, archive = tmp_path / "home", tmp_path / "modelsheet-krita.zip"
    install.build_zip(archive)
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
    other = tmp_path / "other"  # another machine, as far as the plugin is concerned
    with running_service(other) as server:
        second = harness.run(
            STEPS / "imported.py",
            home,
            tmp_path / "second",
            environment={"IMPORT_SERVER": str(server)},
            timeout_s=PATIENCE_S,
        )

    assert not first.report["docker before"]
    assert first.report["imported"] == ["modelsheet_krita"]
    assert first.report["files"] == [
        "pykrita/modelsheet_krita",
        "pykrita/modelsheet_krita.desktop",
    ]
    assert first.report["action"]
    assert second.report["said"].startswith("No backend is set up on this computer yet.")
    assert second.report["trouble is gone"]
    assert second.report["subject"].startswith("Hero\n@hero · ")
    assert second.report["layers"] == 3
    assert not (home / ".local/share/modelsheet").exists(), "nothing of a backend is on this one"
