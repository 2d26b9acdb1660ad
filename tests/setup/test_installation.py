"""Setting up below the data folder: done once, taken up again, repaired, updated, removed."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from modelsheet_setup import disk, platforms
from modelsheet_setup import environment as environments
from modelsheet_setup import installation as installations
from modelsheet_setup.environment import Progress
from modelsheet_setup.errors import SetupCancelled, SetupError
from modelsheet_setup.installation import Installation
from modelsheet_setup.platforms import Platform

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="its programs are shell scripts")

GB = 1024**3


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """The wheel and its lock, as the plugin's zip brings them."""
    folder = tmp_path / "a plugin" / "payload"
    folder.mkdir(parents=True)
    (folder / "modelsheet-1-py3-none-any.whl").write_text("wheel")
    (folder / "requirements.txt").write_text("flask==3\n")
    (folder / "constraints.txt").write_text("flask==3\n")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "Zoë Müller" / "data"


def set_up(platform: Platform, data: Path, payload: Path) -> tuple[Installation, list[str]]:
    installation, stages = Installation(platform, data, payload), list[str]()
    installation.set_up(Progress(stage=lambda text, begun: stages.append(text)))
    return installation, stages


def calls(platform: Platform) -> list[str]:
    log = platform.home / "calls"
    return log.read_text().splitlines() if log.exists() else []


def failing(platform: Platform, said: str) -> Platform:
    return replace(platform, environment={**platform.environment, "PIP_FAILS": said})


def test_all_is_below_the_data_folder_and_starts_from_there(
    linux: Platform, data: Path, payload: Path
) -> None:
    assert Installation(linux, data, payload).command == ()

    installation, stages = set_up(linux, data, payload)

    python = data / "backend/venv/bin/python"
    assert installation.command == (str(python), "-I", "-m", "modelsheet", "serve")
    assert not installation.is_outdated()
    assert stages[0] == "The virtual environment"
    assert len(stages) == 4
    packages, _, torch, backend = calls(linux)
    assert packages.endswith("--require-hashes --no-deps --requirement requirements.txt")
    assert torch.endswith("install torch==2.13.0+cpu")
    assert backend.endswith("--no-deps --force-reinstall modelsheet-1-py3-none-any.whl")
    assert sorted(path.name for path in (data / "backend").iterdir()) == [
        "lock",
        "setup.log",
        "venv",
    ]


def test_after_a_failure_the_steps_that_were_done_are_kept(
    linux: Platform, data: Path, payload: Path
) -> None:
    with pytest.raises(SetupError, match="Check the network"):
        set_up(failing(linux, "NewConnectionError: unreachable"), data, payload)

    _, stages = set_up(linux, data, payload)

    assert "The virtual environment" not in stages
    assert len(stages) == 3


def test_an_update_keeps_the_environment(linux: Platform, data: Path, payload: Path) -> None:
    installation, _ = set_up(linux, data, payload)
    (payload / "modelsheet-1-py3-none-any.whl").rename(payload / "modelsheet-2-py3-none-any.whl")
    (payload / "modelsheet-2-py3-none-any.whl").write_text("newer")
    assert installation.is_outdated()

    installation, stages = set_up(linux, data, payload)

    assert stages == ["The backend"]
    assert calls(linux)[-1].endswith("modelsheet-2-py3-none-any.whl")
    assert not installation.is_outdated()


def test_an_environment_of_version_0_1_is_made_anew(
    linux: Platform, data: Path, payload: Path
) -> None:
    old = data / "backend/venv"
    (old / "bin").mkdir(parents=True)
    (old / "bin/python").write_text("#!/bin/sh\nexit 1\n")
    (old / "bin/python").chmod(0o755)
    (old / "modelsheet-stamp").write_text("4f0c 9a1d test,dev\n")  # as install.sh of 0.1 wrote it
    found = Installation(linux, data, payload)
    assert found.is_begun
    assert found.command == ()

    installation, stages = set_up(linux, data, payload)

    assert len(stages) == 4
    assert installation.command


def test_repairing_makes_all_again(linux: Platform, data: Path, payload: Path) -> None:
    installation, first = set_up(linux, data, payload)
    spoilt = data / "backend/venv/bin/spoilt"
    spoilt.touch()

    stages: list[str] = []
    Installation(linux, data, payload).repair(
        Progress(stage=lambda text, begun: stages.append(text))
    )

    assert stages == first
    assert not spoilt.exists()


def test_removing_leaves_what_was_learnt(linux: Platform, data: Path, payload: Path) -> None:
    installation, _ = set_up(linux, data, payload)
    subject = data / "subjects/hero"
    subject.mkdir(parents=True)

    installation.remove()

    assert [path.name for path in data.iterdir()] == ["subjects"]
    assert installation.command == ()
    installation.remove()  # nothing is there: nothing to do


def test_an_interrupted_removal_is_taken_up_again(
    linux: Platform, data: Path, payload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, _ = set_up(linux, data, payload)

    def fail(path: Path, *, ignore_errors: bool = False) -> None:
        if not ignore_errors:
            raise PermissionError(13, "in use", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(environments.shutil, "rmtree", fail)
        with pytest.raises(SetupError, match="virus scanner"):
            installation.remove()

    assert not installation.is_complete
    Installation(linux, data, payload).remove()
    assert not (data / "backend").exists()


def test_somebody_elses_folder_is_left_alone(linux: Platform, data: Path, payload: Path) -> None:
    mine = data / "backend/venv/mine"
    mine.parent.mkdir(parents=True)
    mine.touch()

    with pytest.raises(SetupError, match="did not make"):
        set_up(linux, data, payload)
    with pytest.raises(SetupError, match="did not make"):
        Installation(linux, data, payload).remove()
    assert mine.exists()


def test_a_full_disk_is_noticed_before_anything_is_made(
    linux: Platform, data: Path, payload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type(shutil.disk_usage("/"))
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda folder: usage(9, 8, GB))

    with pytest.raises(SetupError, match="has 1 GB free; the backend needs 4 GB"):
        set_up(linux, data, payload)

    assert not (data / "backend/venv").exists()
    assert calls(linux) == []


def test_too_long_a_path_is_noticed_before_anything_is_made(
    linux: Platform, data: Path, payload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Platform, "longest_path", lambda self: platforms.WINDOWS_PATH)
    deep = data / ("x" * 100)

    with pytest.raises(SetupError, match="shorter folder in MODELSHEET_HOME"):
        set_up(linux, deep, payload)
    assert not (deep / "backend/venv").exists()


def test_two_kritas_at_once(linux: Platform, data: Path, payload: Path) -> None:
    (data / "backend").mkdir(parents=True)
    with (data / "backend/lock").open("ab") as lock:
        assert platforms.try_lock(lock)

        with pytest.raises(SetupError, match="Another Krita is setting up"):
            set_up(linux, data, payload)


def test_what_pip_removes_meanwhile_is_not_counted(
    linux: Platform, data: Path, payload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(linux, data, payload)
    assert installation.downloaded_mb == 0
    there = data / "backend/tmp/pip-unpack-1"
    there.mkdir(parents=True)
    (there / "torch.whl").write_bytes(bytes(3_000_000))
    monkeypatch.setattr(Path, "glob", lambda *_: iter([there.with_name("pip-unpack-0"), there]))

    assert installation.downloaded_mb == 3


def test_a_plugin_without_its_wheel_says_so(linux: Platform, data: Path, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match=r"Import modelsheet_krita\.zip again"):
        set_up(linux, data, tmp_path / "nothing")


def test_a_folder_that_cannot_be_made_is_a_sentence(
    linux: Platform, tmp_path: Path, payload: Path
) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(SetupError, match="name another folder in MODELSHEET_HOME"):
        set_up(linux, tmp_path / "file", payload)


@pytest.fixture
def slow_pip(linux: Platform) -> Path:
    """pip says "Collecting" and then waits on a pipe into which nobody writes."""
    pipe = linux.home / "pipe"
    os.mkfifo(pipe)
    python = linux.home / "bin/python3"
    wait = f'if [ "$1 $2" = "-m pip" ]; then echo Collecting; read line <"{pipe}"; fi\n'
    head = 'case "${0##*/} $*" in'
    python.write_text(python.read_text().replace(head, wait + head, 1))
    return pipe


def test_cancelling_ends_pip_and_what_was_done_is_kept(
    linux: Platform, data: Path, payload: Path, slow_pip: Path
) -> None:
    installation = Installation(linux, data, payload)

    with pytest.raises(SetupCancelled):
        installation.set_up(Progress(line=lambda line: installation.cancel()))

    assert installation.is_begun
    assert not installation.is_complete


def test_without_a_python_uv_brings_one(
    linux: Platform, data: Path, payload: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    uv = linux.home / "uv"
    # As uv does: `uv python install ... --install-dir FOLDER VERSION`.
    uv.write_text(
        f"""#!/bin/sh
mkdir -p "$6/cpython-3.12.1-linux/bin"
cp '{linux.home / "bin/python3"}' "$6/cpython-3.12.1-linux/bin/python3.12"
"""
    )
    uv.chmod(0o755)
    monkeypatch.setattr(Platform, "python_names", lambda self: ())
    monkeypatch.setattr(installations.uv_wheel, "fetch_uv", lambda *arguments: uv)

    before = Installation(linux, data, payload).plan()
    installation, stages = set_up(linux, data, payload)
    after = Installation(linux, data, payload).plan()

    assert before.python is None
    assert stages[0] == "A Python for the backend"
    assert installation.is_complete
    assert after.python is not None
    assert data in after.python.path.parents
    assert before.download_mb > after.download_mb
