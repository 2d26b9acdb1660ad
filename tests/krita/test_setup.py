"""The zip, imported by Krita's own importer into a clean profile, sets the backend up.

All is downloaded, so it runs only when asked for. The artist stops it, loses the network, goes on,
learns and paints the sample; then two Kritas set up at once, and the backend is removed.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from modelsheet.krita_setup import install, kritarc
from tests.krita import harness
from tests.paths import KRITA_STEPS

PATIENCE_S = 3600.0
# What pip and uv are set up with on this computer.
NETWORK = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE")

pytestmark = [
    pytest.mark.skipif(
        not os.environ.get("MODELSHEET_TEST_SETUP"),
        reason="downloads the backend's packages: MODELSHEET_TEST_SETUP=1 runs it",
    ),
    pytest.mark.timeout(4 * PATIENCE_S),
]


@dataclass(frozen=True)
class Artist:
    """A clean profile into which the zip is imported; `folder` is for pictures and reports."""

    home: Path
    folder: Path
    zip_mb: float

    @property
    def data(self) -> Path:
        return self.home / ".local/share/modelsheet"

    def run(self, steps: str, name: str, **environment: str) -> harness.KritaRun:
        return harness.run(
            KRITA_STEPS / steps,
            self.home,
            self.folder / name,
            environment={"MODELSHEET_DRIVER_PATIENCE_S": "1800", **environment},
            timeout_s=PATIENCE_S,
        )


@pytest.fixture
def artist(tmp_path: Path) -> Iterator[Artist]:
    home, archive = tmp_path / "Zoë Müller", tmp_path / "modelsheet_krita.zip"
    install.build_zip(archive)
    shutil.copytree(harness.HERE / "driver", home / ".local/share/krita/pykrita")
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_driver")
    (home / "run").mkdir(mode=0o700)
    artist = Artist(home, tmp_path, archive.stat().st_size / 1e6)
    artist.run("importer.py", "import", IMPORT_ZIP=str(archive))
    # As the artist ticks it in Settings > Configure Krita > Python Plugin Manager.
    kritarc.enable_plugin(home / ".config/kritarc", "modelsheet_krita")
    try:
        yield artist
    finally:
        harness.stop_service(home / ".local/state/modelsheet")


@pytest.fixture
def network() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith(NETWORK)}


@contextlib.contextmanager
def proxy(gone: Path) -> Iterator[str]:
    """A proxy that goes away while the file `gone` exists; its URL."""
    command = [sys.executable, str(harness.HERE / "proxy.py"), str(gone)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as process:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        process.terminate()


def test_from_the_zip_to_the_first_picture(
    artist: Artist,
    network: dict[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gone = tmp_path / "gone"
    with proxy(gone) as url:
        through = {"HTTPS_PROXY": url, "HTTP_PROXY": url, "NETWORK_GONE": str(gone)}
        report = artist.run("setup.py", "setup", **network, **through).report

    assert report["said"].startswith("No backend is set up on this computer yet.")
    assert str(artist.data / "backend") in report["plan"]
    assert report["stopped"].startswith("Stopped.")
    assert report["go on"] == "Go On"
    # Half a file is a damaged one for a pip before 25.1.
    assert re.search("Check the network|arrived damaged", report["network gone"])
    assert report["try again"] == "Try Again"
    assert report["outcome"].startswith("Done.")
    assert report["file"] == "", "saving the sample asks for a file"
    assert report["subject"].startswith("Hero\n@hero · ")
    assert report["layers"] == 3
    backend = artist.data / "backend"
    assert sorted(path.name for path in backend.iterdir()) == ["lock", "setup.log", "venv"]
    on_disk = sum(path.lstat().st_size for path in backend.rglob("*")) / 1e6
    with capsys.disabled():
        sys.stdout.write(
            f"\nzip {artist.zip_mb:.0f} MB, set up in {report['seconds']} s, {on_disk:.0f} MB on "
            f"the disk; pictures: {artist.folder / 'setup'}"
        )


def test_two_kritas_at_once_then_removed(artist: Artist, network: dict[str, str]) -> None:
    """With profiles of their own, as Krita demands, and one folder for Modelsheet."""
    shared = artist.folder / "Zoë's Modelsheet"
    other = replace(artist, home=artist.folder / "flatpak")
    shutil.copytree(artist.home, other.home)
    network |= {"MODELSHEET_HOME": str(shared)}
    try:
        with ThreadPoolExecutor() as pool:
            runs = [
                pool.submit(each.run, "setup_twice.py", name, FIRST=is_first, **network)
                for each, name, is_first in ((artist, "first", "1"), (other, "second", ""))
            ]
            first, second = (run.result().report for run in runs)
    finally:
        harness.stop_service(shared)

    assert first["outcome"].startswith("Done.")
    assert second["refused"].startswith("Another Krita is setting up the backend.")
    assert second["outcome"].startswith("Done.")
    assert second["removed"].startswith("The backend is removed. What was learnt is kept.")
    assert not (shared / "data/backend").exists()
    assert (shared / "data/ledger.sqlite3").exists()
