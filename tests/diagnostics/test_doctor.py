"""The doctor distinguishes present, missing and optional parts of an installation."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from modelsheet.cli import main
from modelsheet.connection_file import connection_path
from modelsheet.diagnostics import doctor
from modelsheet.diagnostics.doctor import DoctorReport, Finding
from modelsheet.krita_setup import install
from modelsheet.settings import Settings
from tests import toy


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Mapping[str, str]]:
    """Return a machine's environment without Modelsheet's folders and without Krita."""
    home = tmp_path_factory.mktemp("empty")
    return Settings.from_environment({"MODELSHEET_HOME": str(home / "m")}), {
        "HOME": str(home),
        "PATH": str(home),
    }


@pytest.fixture(scope="module")
def on_empty(empty: tuple[Settings, Mapping[str, str]]) -> dict[str, Finding]:
    return by_name(doctor.run_checks(empty[0], environment=empty[1]))


def by_name(report: DoctorReport) -> dict[str, Finding]:
    return {finding.name: finding for finding in report.findings}


def test_what_is_installed_is_told_with_its_version(on_empty: dict[str, Finding]) -> None:
    from importlib import metadata

    for library in ("torch", "diffusers", "peft"):
        assert on_empty[library].state == "ok"
        assert on_empty[library].detail == metadata.version(library)


def test_torch_is_asked_for_the_device(on_empty: dict[str, Finding]) -> None:
    import torch

    assert (on_empty["device"].state == "ok") == torch.cuda.is_available()
    assert ("CPU" in on_empty["device"].detail) != torch.cuda.is_available()


def test_krita_and_its_plugin_are_wishes_not_needs(on_empty: dict[str, Finding]) -> None:
    assert on_empty["krita"].state == "note"
    assert on_empty["plugin"].state == "note"
    assert "modelsheet krita install" in on_empty["plugin"].detail
    assert on_empty["service"].state == "note"


def test_the_report_is_healthy_unless_something_is_missing() -> None:
    well = Finding(name="a", state="ok", detail="x")
    note = Finding(name="b", state="note", detail="y")
    missing = Finding(name="c", state="missing", detail="z; do this")

    assert DoctorReport(findings=[well, note]).healthy
    assert not DoctorReport(findings=[well, missing]).healthy
    assert "can work here" in doctor.format_report(DoctorReport(findings=[well, note]))
    assert "✗ c  z; do this" in doctor.format_report(DoctorReport(findings=[well, missing]))


def test_an_installed_plugin_is_compared_with_this_version(tmp_path: Path) -> None:
    environment = {"HOME": str(tmp_path)}
    install.install(None, ["modelsheet", "serve"], environment=environment)
    (place,) = install.find_installations(None, environment=environment)

    (well,) = doctor._plugin(environment)
    (place.package / "__init__.py").write_text("# an older one")
    (other,) = doctor._plugin(environment)
    place.settings.write_text("")
    (off,) = doctor._plugin(environment)

    assert well.state == "ok"
    assert "another version" in other.detail
    assert "not switched on" in off.detail


@pytest.mark.skipif(os.name != "posix", reason="rights of files are POSIX's")
def test_a_connection_file_that_others_can_read_is_reported(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    connection_path(settings).parent.mkdir(parents=True)
    connection_path(settings).write_text("{}")
    connection_path(settings).chmod(0o644)

    finding = doctor._connection_file(settings)

    assert finding.state == "missing"
    assert "delete it" in finding.detail


def test_a_running_service_is_found(tmp_path: Path) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})

    with toy.service(tmp_path) as client:
        finding = doctor._service(settings)

    assert finding.state == "ok"
    assert client.url in finding.detail


def test_the_json_is_for_programs_and_the_code_says_the_same(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main.main(["doctor", "--json"])

    report = json.loads(capsys.readouterr().out)
    states = {finding["state"] for finding in report["findings"]}
    assert code == (1 if "missing" in states else 0)
    assert states <= {"ok", "note", "missing"}


def test_a_list_of_jobs_that_was_damaged_is_told(
    on_empty: dict[str, Finding], tmp_path: Path
) -> None:
    settings = Settings.from_environment({"MODELSHEET_HOME": str(tmp_path)})
    settings.data_dir.mkdir()
    (settings.data_dir / "ledger.sqlite3.damaged-1").touch()

    found = by_name(doctor.run_checks(settings, environment={"HOME": str(tmp_path), "PATH": ""}))

    assert on_empty["jobs"].state == "ok"
    assert found["jobs"].state == "note"
    assert "was damaged and made anew" in found["jobs"].detail
