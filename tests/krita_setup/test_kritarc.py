"""Krita's settings file keeps every byte that is not ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.krita_setup import kritarc


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[python]\nenable_us=true\n"),
        ("[theme]\nTheme=Dark", "[theme]\nTheme=Dark\n\n[python]\nenable_us=true\n"),
        ("[python]\nenable_us=false\n", "[python]\nenable_us=true\n"),
        (
            "[python]\nenable_other=false\n[x]\nenable_us=1\n",
            "[python]\nenable_us=true\nenable_other=false\n[x]\nenable_us=1\n",
        ),
        ("a=1\n[python]\n", "a=1\n[python]\nenable_us=true\n"),
    ],
)
def test_enabling(tmp_path: Path, before: str, after: str) -> None:
    settings = tmp_path / "kritarc"
    settings.write_text(before)

    kritarc.enable_plugin(settings, "us")

    assert settings.read_text() == after


def test_enabling_twice_changes_nothing_more(tmp_path: Path) -> None:
    settings = tmp_path / "new/kritarc"

    kritarc.enable_plugin(settings, "us")
    once = settings.read_bytes()
    kritarc.enable_plugin(settings, "us")

    assert settings.read_bytes() == once


def test_disabling_restores_the_file(tmp_path: Path) -> None:
    settings = tmp_path / "kritarc"
    before = b"Name=caf\xe9\n[python]\nenable_other=true\n"
    settings.write_bytes(before)
    kritarc.enable_plugin(settings, "us")

    assert kritarc.disable_plugin(settings, "us")
    assert settings.read_bytes() == before


def test_disabling_what_krita_does_not_know_makes_no_file(tmp_path: Path) -> None:
    assert not kritarc.disable_plugin(tmp_path / "kritarc", "us")
    assert list(tmp_path.iterdir()) == []


def test_a_linked_settings_file_stays_a_link_with_its_rights(tmp_path: Path) -> None:
    real = tmp_path / "real"
    real.write_text("")
    real.chmod(0o640)
    link = tmp_path / "kritarc"
    link.symlink_to(real)

    kritarc.enable_plugin(link, "us")

    assert link.is_symlink()
    assert real.read_text() == "[python]\nenable_us=true\n"
    assert real.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("text", "folder"),
    [
        ("ResourceDirectory=/art\n[python]\n", Path("/art")),
        ("ResourceDirectory=\n", None),
        ("[python]\nResourceDirectory=/elsewhere\n", None),
        ("", None),
    ],
)
def test_resource_folder(tmp_path: Path, text: str, folder: Path | None) -> None:
    (tmp_path / "kritarc").write_text(text)

    assert kritarc.resource_folder(tmp_path / "kritarc") == folder


@pytest.mark.parametrize(
    ("content", "is_enabled"),
    [
        ("", False),
        ("[python]\nenable_us=true\n", True),
        ("[python]\nenable_us=false\n", False),
        ("[x]\nenable_us=true\n", False),
        ("[x]\nenable_us=true\n[python]\nenable_us=true\n", True),
    ],
)
def test_whether_a_plugin_is_switched_on(tmp_path: Path, content: str, is_enabled: bool) -> None:
    settings = tmp_path / "kritarc"
    settings.write_text(content)

    assert kritarc.is_enabled(settings, "us") == is_enabled
