"""Setting up this computer's backend from the docker: offered, done, stopped, failed, removed."""

from __future__ import annotations

import gc
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from modelsheet import __version__
from tests.plugin import fake_krita
from tests.plugin.conftest import Until

from modelsheet_krita.backend import local_installation  # isort: skip
from modelsheet_krita.backend.setup_plan import SetupOutcome, SetupPlan  # isort: skip

NOTHING = SetupPlan(
    Path("/data/backend"), "cpu", "3.11.2 (/usr/bin/python3)", 380, 4, 90, *[False] * 3
)
READY = replace(NOTHING, is_complete=True, is_begun=True)


@dataclass
class FakeInstallation:
    """The work as a test wants it: it lasts until `gate` is set, and looking until `seen` is."""

    found: SetupPlan | str = NOTHING
    outcome: SetupOutcome = SetupOutcome()
    after: SetupPlan = READY
    is_offered: bool = True
    stage: str = ""
    done: float = 0.0
    downloaded_mb: int = 0
    lines: deque[str] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    seen: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.seen.set()

    def plan(self) -> SetupPlan | str:
        self.seen.wait(60)
        return self.found

    def run(self, action: str) -> SetupOutcome:
        self.asked.append(action)
        self.stage, self.downloaded_mb = "PyTorch", 90
        self.lines.append("Collecting torch")
        self.gate.wait(60)
        self.found = self.after
        return self.outcome

    def cancel(self) -> None:
        self.asked.append("cancel")
        self.outcome, self.after = SetupOutcome(is_cancelled=True), replace(NOTHING, is_begun=True)
        self.gate.set()


@pytest.fixture
def installation(docker: Any) -> FakeInstallation:
    docker.setup._installation = fake = FakeInstallation()
    return fake


def open_dialog(docker: Any, until: Until) -> Any:
    docker.controller.panel.backend_wanted.emit("setup")
    dialog = docker.setup.dialog
    until(lambda: "Looking" not in dialog.about.text())
    return dialog


def finish(docker: Any, until: Until) -> None:
    until(lambda: not docker.setup._is_working)
    until(lambda: "Looking" not in docker.setup.dialog.about.text())


def test_the_form_says_what_would_be_done(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    dialog = open_dialog(docker, until)

    text = dialog.about.text()
    assert "about 380 MB are downloaded" in text
    assert "Python: 3.11.2 (/usr/bin/python3)" in text
    assert "Folder: /data/backend" in text
    assert "needs 4 GB, has 90 GB" in text
    assert dialog.start.text() == "Set Up"
    assert dialog.remove.isHidden()
    assert installation.asked == []


def test_setting_up_shows_progress_and_then_the_sample(
    docker: Any, krita: fake_krita.Krita, installation: FakeInstallation, until: Until
) -> None:
    dialog = open_dialog(docker, until)

    dialog.start.click()
    until(lambda: "90 MB downloaded" in dialog.stage.text())
    assert "Collecting torch" in dialog.log.toPlainText()
    assert dialog.bar.value() > 0
    assert dialog.start.isHidden()
    installation.gate.set()
    finish(docker, until)

    assert installation.asked == ["set_up"]
    assert dialog.about.text().startswith("Done.")
    assert not dialog.sample.isHidden()
    assert dialog.start.isHidden()


def test_stopping_keeps_what_is_done(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    dialog = open_dialog(docker, until)
    dialog.start.click()

    dialog.cancel.click()
    finish(docker, until)

    assert installation.asked == ["set_up", "cancel"]
    assert dialog.about.text().startswith("Stopped.")
    assert dialog.start.text() == "Go On"


def test_a_failure_is_said_and_may_be_tried_again(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    installation.outcome = SetupOutcome("The disk is full. Make room.")
    installation.gate.set()
    dialog = open_dialog(docker, until)

    dialog.start.click()
    finish(docker, until)

    assert dialog.about.text() == "The disk is full. Make room."
    assert dialog.start.text() == "Try Again"
    dialog.start.click()
    finish(docker, until)
    assert installation.asked == ["set_up", "set_up"]


def test_repair_and_remove(docker: Any, installation: FakeInstallation, until: Until) -> None:
    installation.found = READY
    installation.gate.set()
    dialog = open_dialog(docker, until)

    dialog.repair.click()
    finish(docker, until)
    installation.after = NOTHING
    dialog.remove.click()
    finish(docker, until)

    assert installation.asked == ["repair", "remove"]
    assert dialog.about.text().startswith("The backend is removed. What was learnt is kept.")
    assert dialog.start.text() == "Set Up"


def answer(docker: Any, version: str) -> None:
    """A backend of this version answers."""
    docker.setup._has_compared = False
    capabilities = SimpleNamespace(version=version)
    docker.setup._on_state(SimpleNamespace(phase="connected", capabilities=capabilities))


def said(docker: Any) -> str:
    notice = docker.controller.panel.notice
    return "" if notice.isHidden() else notice.text.text()


def test_a_newer_plugin_offers_to_update(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    installation.found = replace(READY, is_outdated=True)
    answer(docker, __version__)

    until(lambda: "another version" in said(docker))
    docker.controller.panel.notice._button.click()
    until(lambda: docker.setup.dialog.start.text() == "Update")


def test_a_backend_that_answers_while_the_form_looks_does_not_hold_it_up(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    installation.seen.clear()
    docker.controller.panel.backend_wanted.emit("setup")
    answer(docker, __version__)
    gc.collect()
    installation.seen.set()

    until(lambda: "Looking" not in docker.setup.dialog.about.text())


def test_an_older_backend_that_runs_is_to_be_updated(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    answer(docker, "0.1.0")  # as install.sh of 0.1 left one running

    until(lambda: said(docker).startswith("The backend is version 0.1.0, older than this plugin"))
    docker.controller.panel.notice._button.click()
    until(lambda: docker.setup.dialog.start.text() == "Set Up")


def test_a_newer_backend_asks_for_a_newer_plugin(
    docker: Any, installation: FakeInstallation
) -> None:
    answer(docker, "9.0.0")

    assert "older than the backend, 9.0.0" in said(docker)
    assert docker.controller.panel.notice._button.isHidden()


def test_equal_versions_are_passed_over(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    installation.found = READY
    answer(docker, __version__)

    until(lambda: not docker.setup._comparison._thread.is_alive())
    assert said(docker) == ""


def test_another_computers_backend_is_offered(
    docker: Any, installation: FakeInstallation, until: Until
) -> None:
    dialog = open_dialog(docker, until)

    dialog.remote.click()

    assert dialog.isHidden()
    assert docker._dialog.isVisible()


def test_kritas_end_stops_the_work(
    docker: Any, krita: fake_krita.Krita, installation: FakeInstallation, until: Until
) -> None:
    open_dialog(docker, until).start.click()

    krita.notifier().applicationClosing.emit()

    until(lambda: installation.asked == ["set_up", "cancel"])


def test_without_a_backend_the_docker_offers_to_set_one_up(
    docker: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, until: Until
) -> None:
    from modelsheet_krita.app import docker as docker_module

    monkeypatch.setattr(local_installation, "PAYLOAD", tmp_path)
    choice = docker._preferences.backend()
    connection = docker.controller.connection

    connection.switch_to(docker_module.location_of(choice))
    until(lambda: connection.state.phase == "down")
    notice = docker.controller.panel.connection_notice
    assert notice.text.text().startswith("No backend is set up on this computer yet.")
    notice._button.click()

    assert docker.setup.dialog.isVisible()
    until(lambda: not docker.setup.dialog.about.text().startswith("Looking"))
    assert "Import modelsheet_krita.zip again" not in docker.setup.dialog.about.text()
