"""Where Linux, macOS and Windows differ, each pretended on whatever runs this."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from modelsheet.settings import Settings
from modelsheet_setup import platforms
from modelsheet_setup.platforms import Platform
from tests.setup.conftest import Computer


@pytest.mark.parametrize(
    ("system", "environment", "folder"),
    [
        ("linux", {}, "home/.local/share/modelsheet"),
        ("linux", {"XDG_DATA_HOME": "{0}/d"}, "d/modelsheet"),
        ("darwin", {}, "home/Library/Application Support/modelsheet"),
        ("win32", {}, "home/AppData/Local/modelsheet"),
        ("win32", {"LOCALAPPDATA": "{0}/Müller Ö"}, "Müller Ö/modelsheet"),
        ("linux", {"MODELSHEET_HOME": "{0}/m"}, "m/data"),
        ("win32", {"MODELSHEET_HOME": "{0}/m"}, "m/data"),
    ],
)
def test_data_folder(
    computer: Computer, tmp_path: Path, system: str, environment: dict[str, str], folder: str
) -> None:
    there = {name: value.format(tmp_path) for name, value in environment.items()}

    assert computer(system, **there).data_folder() == tmp_path / folder


@pytest.mark.parametrize("home", ["", "/somewhere/else"])
def test_data_folder_is_the_backends_own(monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("MODELSHEET_HOME", home)
    environment = {"MODELSHEET_HOME": home}

    assert Platform.current().data_folder() == Settings.from_environment(environment).data_dir


def test_interpreter_of_an_environment(computer: Computer) -> None:
    venv = Path("venv")

    assert computer("win32").environment_python(venv) == venv / "Scripts/python.exe"
    assert computer("darwin").environment_python(venv) == venv / "bin/python"


@pytest.mark.parametrize(("machine", "name"), [("AMD64", "x86_64"), ("aarch64", "arm64")])
def test_architecture(computer: Computer, machine: str, name: str) -> None:
    assert computer(machine=machine).architecture == name


def test_an_offer_to_install_python_is_no_python(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platforms, "_DEVELOPER_TOOLS", (Path("/nowhere"),))
    store = Path("C:/Users/x/AppData/Local/Microsoft/WindowsApps/python.exe")

    assert computer("win32").is_placeholder(store)
    assert not computer("win32").is_placeholder(Path("C:/Python311/python.exe"))
    assert computer("darwin").is_placeholder(Path("/usr/bin/python3"))
    assert not computer("darwin").is_placeholder(Path("/opt/homebrew/bin/python3"))
    assert not computer("linux").is_placeholder(Path("/usr/bin/python3"))


def test_pythons_beside_path(computer: Computer) -> None:
    windows, mac = computer("win32"), computer("darwin")
    installed = windows.home / "AppData/Local/Programs/Python/Python311"
    installed.mkdir(parents=True)

    assert installed in windows.python_folders()
    assert Path("/opt/homebrew/bin") in mac.python_folders()


def test_kritas_own_python_and_appimage_do_not_leak(computer: Computer) -> None:
    krita = {"PYTHONHOME": "/k", "LD_LIBRARY_PATH": "/k", "APPDIR": "/mnt/k", "HTTPS_PROXY": "p"}
    path = {"PATH": "/mnt/k/bin:/usr/bin"}

    assert computer(**krita, **path).clean_environment() == {
        "APPDIR": "/mnt/k",
        "HTTPS_PROXY": "p",
        "PATH": "/usr/bin",
    }
    windows = computer("win32", APPDIR="C:\\k", PATH="C:\\k\\bin;C:\\w", PythonPath="C:\\k")
    assert windows.clean_environment()["PATH"] == "C:\\w"
    assert "PythonPath" not in windows.clean_environment()


def test_processes_have_no_window_and_end_with_what_they_started(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: ran.append(command))
    killed: list[int] = []
    monkeypatch.setattr(platforms, "kill_group", killed.append)
    process: Any = type("Process", (), {"pid": 7})

    computer("win32").end_process(process)
    computer("darwin").end_process(process)

    assert ran == [["taskkill", "/T", "/F", "/PID", "7"]]
    assert killed == [7]
    assert computer("win32").process_options() == {"creationflags": 0x08000200}
    assert computer("linux").process_options() == {"start_new_session": True}


def test_paths_are_short_on_windows_alone(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert computer("win32").longest_path() == 259
    assert computer("darwin").longest_path() > 1000
    monkeypatch.setattr(platforms, "has_long_paths", lambda: True)
    assert computer("win32").longest_path() > 1000


@pytest.mark.parametrize(
    ("system", "environment", "files"),
    [
        ("win32", {"PROGRAMDATA": "/p", "APPDATA": "/a"}, ["/p/pip/pip.ini", "/a/pip/pip.ini"]),
        ("linux", {"XDG_CONFIG_HOME": "/c"}, ["/etc/xdg/pip/pip.conf", "/c/pip/pip.conf"]),
        ("darwin", {"PIP_CONFIG_FILE": "/f"}, ["/Library/Application Support/pip/pip.conf", "/f"]),
    ],
)
def test_pips_files(
    computer: Computer, system: str, environment: dict[str, str], files: list[str]
) -> None:
    found = computer(system, **environment).pip_configurations()

    assert [found[0], found[-1]] == [Path(one) for one in files]


def test_pip_may_be_told_to_read_no_file(computer: Computer) -> None:
    assert computer(PIP_CONFIG_FILE=os.devnull).pip_configurations() == ()


@pytest.mark.skipif(sys.platform == "win32", reason="rights of files are POSIX's")
def test_a_file_that_others_can_read_is_not_private(tmp_path: Path) -> None:
    file, link = tmp_path / "server.json", tmp_path / "link"
    file.touch(mode=0o600)
    link.symlink_to(file)

    assert platforms.is_private(file)
    assert not platforms.is_private(link)
    file.chmod(0o640)
    assert not platforms.is_private(file)


def test_a_second_process_does_not_get_the_lock(tmp_path: Path) -> None:
    script = (
        "import sys; from modelsheet_setup import platforms; "
        "print(platforms.try_lock(open(sys.argv[1], 'ab')))"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "lock")]

    def second() -> str:
        path = str(Path(platforms.__file__).parents[1])
        run = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, check=True)
        return run.stdout.decode().strip()

    with (tmp_path / "lock").open("ab") as lock:
        assert platforms.try_lock(lock)
        assert second() == "False"
    assert second() == "True"
