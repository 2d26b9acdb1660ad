"""The backend in the data folder, as the plugin asks for it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelsheet_krita.backend import local_installation
from modelsheet_krita.backend.local_installation import LocalInstallation
from modelsheet_krita.backend.setup_plan import SetupOutcome, SetupPlan


@pytest.fixture
def installation(tmp_path: Path) -> LocalInstallation:
    return LocalInstallation(str(tmp_path / "Zoë Müller"))


def test_after_work_was_cancelled_one_can_look_again(
    installation: LocalInstallation, tmp_path: Path
) -> None:
    installation.cancel()

    found = installation.plan()

    assert isinstance(found, SetupPlan)
    assert found.folder == tmp_path / "Zoë Müller/data/backend"
    assert not found.is_begun
    assert installation.command == ()


def test_an_error_becomes_a_sentence(installation: LocalInstallation) -> None:
    # A checkout has no payload.
    outcome = installation.run("set_up")

    assert outcome.error.startswith("The plugin does not bring its backend.")
    assert not installation.is_offered


def test_removing_nothing_is_no_error(installation: LocalInstallation) -> None:
    assert installation.run("remove") == SetupOutcome()


def test_the_lines_of_the_last_work_are_forgotten(installation: LocalInstallation) -> None:
    installation.lines.append("old")

    installation.run("remove")

    assert list(installation.lines) == []


def test_offered_where_the_wheel_is(
    installation: LocalInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_installation, "PAYLOAD", tmp_path)

    assert installation.is_offered
    assert LocalInstallation(None, {**os.environ, "MODELSHEET_HOME": str(tmp_path)}).command == ()
