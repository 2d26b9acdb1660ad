"""What goes wrong in the middle of setting up, with a real pip and an index on this computer.

The network goes away, the disk is full, the artist stops it, two Kritas do it at once. The folder
has spaces and umlauts.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from modelsheet_setup import installation as installations
from modelsheet_setup import torch_build
from modelsheet_setup.environment import STAMP, Progress, read_stamp
from modelsheet_setup.errors import SetupCancelled, SetupError
from modelsheet_setup.installation import Installation
from modelsheet_setup.platforms import Platform
from tests.paths import BACKEND
from tests.setup.package_server import PackageServer, write_wheel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="its disk is a Linux one"),
]

MB = 1 << 20
TORCH_MB = 24
TORCH = f"torch-{torch_build.TORCH_VERSION}+cpu-py3-none-any.whl"


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Stand-ins for the packages and PyTorch, the latter of a size."""
    folder = tmp_path / "wheels"
    write_wheel(folder, "flask", "1.0", {"flask/__init__.py": b""})
    noise = random.Random(0).randbytes(TORCH_MB * MB)
    version = f"{torch_build.TORCH_VERSION}+cpu"
    write_wheel(folder, "torch", version, {"torch/__init__.py": b"", "torch/lib.so": noise})
    return folder


@pytest.fixture
def payload(tmp_path: Path, wheels: Path) -> Path:
    """The backend's wheel and its lock in a copy of modelsheet_setup, as in the unpacked zip."""
    package = tmp_path / "unpacked" / "modelsheet_setup"
    shutil.copytree(BACKEND / "modelsheet_setup", package)
    folder = package / "payload"
    backend = {
        "modelsheet/__init__.py": b"",
        "modelsheet/__main__.py": b"print('serving')",
        "modelsheet/cli/main.py": b"",
    }
    write_wheel(folder, "modelsheet", "1.0", backend)
    digest = hashlib.sha256((wheels / "flask-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    (folder / "requirements.txt").write_text(f"flask==1.0 --hash=sha256:{digest}\n")
    (folder / "constraints.txt").write_text(f"torch=={torch_build.TORCH_VERSION}\n")
    return folder


@pytest.fixture
def server(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PackageServer]:
    with PackageServer(wheels).running() as server:
        monkeypatch.setattr(torch_build, "_SITE", server.url)
        yield server


@pytest.fixture
def computer(tmp_path: Path, server: PackageServer) -> Platform:
    environment = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}",
        "HOME": str(tmp_path),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": server.url,
        "PIP_TRUSTED_HOST": "127.0.0.1",  # else pip caches nothing from it
        "PIP_RETRIES": "0",
        "PIP_USER": "1",
    }
    return Platform(sys.platform, "x86_64", environment, tmp_path)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "Zoë Müller" / "data"


def set_up(computer: Platform, data: Path, payload: Path) -> list[str]:
    stages: list[str] = []
    progress = Progress(stage=lambda text, begun: stages.append(text))
    Installation(computer, data, payload).set_up(progress)
    return stages


def starts(computer: Platform, data: Path, payload: Path) -> bool:
    command = Installation(computer, data, payload).command
    return subprocess.run(command, capture_output=True, check=True).stdout == b"serving\n"


def test_stopped_then_cut_then_taken_up(
    computer: Platform, data: Path, payload: Path, server: PackageServer
) -> None:
    server.held.add("torch")
    work = Installation(computer, data, payload)
    stop = threading.Thread(target=lambda: server.is_holding.wait(120) and work.cancel())
    stop.start()
    with pytest.raises(SetupCancelled):
        work.set_up(Progress())
    stop.join()
    assert set(read_stamp(data / "backend/venv")) == {"base", "python", "packages", "backend"}
    assert not (data / "backend/tmp").exists()

    server.held.clear()
    server.cut.add("torch")
    with pytest.raises(SetupError, match=r"PyTorch.*(damaged|Check the network)"):
        set_up(computer, data, payload)

    server.cut.clear()
    before = len(server.downloads)
    stages = set_up(computer, data, payload)

    assert stages == [f"PyTorch {torch_build.TORCH_VERSION}", "The backend"]
    assert server.downloads[before:] == [TORCH]
    assert starts(computer, data, payload)
    assert set_up(computer, data, payload) == [], "nothing is left to do"


def test_a_network_that_went_away(
    computer: Platform, data: Path, payload: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PackageServer(wheels).running() as gone:
        address = gone.url
    away = Platform(
        computer.system,
        computer.machine,
        {**computer.environment, "PIP_INDEX_URL": address},
        computer.home,
    )

    with pytest.raises(SetupError, match=r"The packages.*Check the network"):
        set_up(away, data, payload)

    assert "The virtual environment" not in set_up(computer, data, payload)
    assert starts(computer, data, payload)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[int], None]]:
    """A disk of its own at the data folder; call it with its size in megabytes."""
    place = tmp_path / "Zoë Müller"
    place.mkdir()

    def resize(megabytes: int, option: str = "remount") -> bool:
        command = ["mount", "-t", "tmpfs", "-o", f"{option},size={megabytes}m", "none", str(place)]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    if not shutil.which("mount") or not resize(1, "rw"):
        pytest.skip("needs the right to mount a small disk")
    try:
        yield resize
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_disk_that_is_full_in_the_middle(
    computer: Platform,
    data: Path,
    payload: Path,
    disk: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(installations, "check_disk", lambda folder, needed: None)
    full = pytest.raises(SetupError, match=r"the disk is full\. Make room, then try again")
    with full:  # while the environment is made
        set_up(computer, data, payload)
    disk(60)
    with full:  # while PyTorch is downloaded, which lies there twice
        set_up(computer, data, payload)
    environment = sum(
        path.lstat().st_size for path in (data / "backend/venv").rglob("*") if path.is_file()
    )
    assert "packages" in read_stamp(data / "backend/venv")

    disk(environment // MB + int(2.6 * TORCH_MB))
    with full:  # while it is unpacked
        set_up(computer, data, payload)
    assert "packages" in read_stamp(data / "backend/venv")
    assert "torch" not in read_stamp(data / "backend/venv")

    filler = data / "filler"
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(MB))
    with full:  # not a byte is left, not even for the log
        set_up(computer, data, payload)
    filler.unlink()
    assert "packages" in read_stamp(data / "backend/venv")

    disk(400)
    assert set_up(computer, data, payload)[0].startswith("PyTorch")
    assert starts(computer, data, payload)


def test_two_kritas_at_once(
    computer: Platform, data: Path, payload: Path, server: PackageServer
) -> None:
    command = [
        sys.executable,
        "-I",
        "-c",
        "import sys; sys.path.insert(0, sys.argv.pop(1)); "
        "from modelsheet_setup.command_line import main; sys.exit(main(sys.argv[1:]))",
    ]
    command += [str(payload.parents[1]), "install"]
    environment = {**computer.environment, "MODELSHEET_HOME": str(data.parent)}

    def start() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    server.held.add("torch")
    first = start()
    assert server.is_holding.wait(120)
    second = start()
    said = second.communicate()[0]
    assert second.returncode == 1
    assert said.endswith(
        "Another Krita is setting up the backend. Wait until it is done, then try again.\n"
    )
    server.release.set()
    assert "Done." in first.communicate()[0]
    assert first.returncode == 0
    stamp = (data / "backend/venv" / STAMP).stat().st_mtime_ns
    downloads = list(server.downloads)

    again = start()

    assert again.communicate()[0].startswith("Done.")
    assert again.returncode == 0
    assert server.downloads == downloads
    assert (data / "backend/venv" / STAMP).stat().st_mtime_ns == stamp
