"""Settings: folders and device from the environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelsheet.errors import InvalidRequest
from modelsheet.settings import Settings


def test_one_home_holds_everything(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})

    assert (settings.data_dir, settings.runtime_dir, settings.log_dir) == (
        tmp_path / "data",
        tmp_path / "run",
        tmp_path / "log",
    )


def test_without_one_the_folders_are_the_users_own_and_the_device_is_open() -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": " "})

    assert "modelsheet" in settings.data_dir.parts
    assert settings.runtime_dir.is_absolute()
    assert settings.device == ""


def test_the_device_is_as_named() -> None:
    assert Settings.from_environment({"MODELSHEET_DEVICE": "cpu"}).device == "cpu"


@pytest.mark.parametrize(("text", "seconds"), [("", 0), ("0", 0), ("15", 900), ("0.5", 30)])
def test_a_service_ends_when_idle_only_where_it_was_asked_to(text: str, seconds: float) -> None:
    environment = {"MODELSHEET_IDLE_MINUTES": text} if text else {}

    assert Settings.from_environment(environment).idle_s == seconds


@pytest.mark.parametrize("text", ["soon", "-1", "nan", "inf"])
def test_idle_minutes_that_are_no_minutes_are_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match="MODELSHEET_IDLE_MINUTES is"):
        Settings.from_environment({"MODELSHEET_IDLE_MINUTES": text})


def test_folders_are_made_for_this_user_alone(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path / "home")})

    settings.make_folders()
    settings.make_folders()

    for folder in (settings.data_dir, settings.runtime_dir, settings.log_dir):
        assert folder.is_dir()
        assert os.name != "posix" or folder.stat().st_mode & 0o077 == 0


def test_a_home_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path / "file")})

    with pytest.raises(InvalidRequest, match=r"file.data cannot be written .*MODELSHEET_HOME"):
        settings.make_folders()


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps folders private in another way")
@pytest.mark.parametrize("name", ["data", "run", "log"])
def test_a_folder_that_others_can_write_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name).chmod(0o777)

    with pytest.raises(InvalidRequest, match="Other users of this computer can write into"):
        Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)}).make_folders()
