"""Missing models are offered with their size and downloaded by one button."""

from __future__ import annotations

from typing import Any

import pytest

from modelsheet import __version__
from modelsheet.api.jobs import JobError, Progress
from modelsheet.api.models import BaseModelView, DownloadRequest, DownloadResult, ModelView
from modelsheet.diffusion.generation import background_removal
from modelsheet_krita.errors import RequestRefused
from tests.plugin.conftest import Until
from tests.plugin.drive import said
from tests.plugin.fake_backend import MODEL, FakeBackend

MODELS = [
    ModelView(id="sprite32", kind="base", state="ready", size_bytes=20_000_000),
    ModelView(
        id="sd15",
        kind="base",
        state="missing",
        size_bytes=2_140_000_000,
        licence="CreativeML Open RAIL-M",
        note="sd15 is not installed. Get it with: modelsheet models download sd15",
    ),
    ModelView(id="bent", kind="base", state="faulty", note="It cannot be read."),
]


def open_form(docker: Any, remote: FakeBackend, until: Until) -> Any:
    remote.models = MODELS
    docker.controller.panel.backend_wanted.emit("settings")
    rows = docker._dialog.models
    until(lambda: rows.buttons)
    return rows


def test_what_is_there_and_what_is_missing_is_said(
    connected: Any, remote: FakeBackend, until: Until
) -> None:
    rows = open_form(connected, remote, until)

    assert rows.inventory.text().splitlines() == [
        f"Modelsheet {__version__}",
        "sprite32: ready, 20.0 MB",
        "bent: not ready. It cannot be read.",
    ]
    assert [*rows.buttons] == ["sd15"]
    offered = rows._grid.itemAtPosition(0, 0).widget().text()
    assert offered == "sd15: not here, 2.1 GB. Licence: CreativeML Open RAIL-M."


def test_a_model_is_downloaded_and_can_be_learnt_with_at_once(
    connected: Any, remote: FakeBackend, until: Until
) -> None:
    rows, panel = open_form(connected, remote, until), connected.controller.panel

    rows.buttons["sd15"].click()
    until(lambda: remote.the_request(DownloadRequest) and panel.jobs.cards)
    assert not rows.buttons["sd15"].isEnabled()
    remote.progress("download", Progress(phase="fetching", step=300, total=2140, fraction=0.14))
    card = next(iter(panel.jobs.cards.values()))
    until(lambda: card._detail.text() == "300.0 MB of 2.1 GB")
    assert card._title.text() == "Downloading sd15"
    assert card._pause.isHidden()
    remote.base_models = [
        MODEL,
        BaseModelView(id="sd15", family="sd15", resolution=512, available=True),
    ]
    remote.finish(
        remote.job_of("download").id, result=DownloadResult(model="sd15", size_bytes=2_140_000_000)
    )

    until(lambda: said(connected) == "sd15 is here.")
    until(lambda: connected.controller.connection.state.resolution == 512)


def test_a_download_that_failed_is_offered_again(
    connected: Any, remote: FakeBackend, until: Until
) -> None:
    rows = open_form(connected, remote, until)
    rows.buttons["sd15"].click()
    until(lambda: remote.the_request(DownloadRequest))

    error = JobError(code="download-failed", sentence="The hub does not answer.")
    remote.finish(remote.job_of("download").id, state="failed", error=error)

    until(lambda: said(connected) == "The hub does not answer.")
    assert rows.buttons["sd15"].isEnabled()


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        (background_removal._UNEVEN, background_removal._UNEVEN.partition(" Get it")[0]),
        ("Нет модели. Загрузите её: modelsheet models download matting", "Нет модели."),
        ("Get it with: modelsheet models download clip, or add a folder.", None),
    ],
)
def test_a_model_that_a_sentence_names_is_one_click_away(
    connected: Any, remote: FakeBackend, until: Until, sentence: str, shown: str | None
) -> None:
    connected.controller.notices.show_request_error(RequestRefused(sentence))
    assert said(connected) == (shown or sentence)

    connected.controller.panel.notice._button.click()
    until(lambda: remote.the_request(DownloadRequest))
    assert remote.the_request(DownloadRequest).model in sentence
    until(lambda: connected.controller.panel.jobs.cards)


def test_what_is_on_its_way_is_not_offered_again(
    connected: Any, remote: FakeBackend, until: Until
) -> None:
    open_form(connected, remote, until).buttons["sd15"].click()
    until(lambda: connected.controller.panel.jobs.cards)
    connected._dialog.reject()

    assert not open_form(connected, remote, until).buttons["sd15"].isEnabled()


def test_the_form_makes_room_for_what_it_is_told(
    connected: Any, remote: FakeBackend, until: Until
) -> None:
    rows = open_form(connected, remote, until)

    until(
        lambda: (
            connected._dialog.height()
            >= connected._dialog.layout().totalHeightForWidth(connected._dialog.width())
        )
    )
    text = rows._grid.itemAtPosition(0, 0).widget()
    until(lambda: text.height() >= text.heightForWidth(text.width()) > 0)
