"""The selected result is seen on the canvas until it is applied, and the document never changes."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin import fake_krita
from tests.plugin.binding import QRect, Qt
from tests.plugin.conftest import Until
from tests.plugin.drive import apply, generate, press
from tests.plugin.fake_backend import FakeBackend


@pytest.fixture
def previewing(
    connected: Any,
    document: fake_krita.Document,
    canvas_area: Any,
    remote: FakeBackend,
    until: Until,
) -> Any:
    """The docker in sight with two results, the canvas at 100 %."""
    canvas_area.show_document(256, 256, 0, 0)
    connected.show()
    generate(connected, remote, until)
    return connected.controller


def test_the_first_selected_one_is_shown(
    previewing: Any, document: fake_krita.Document, until: Until
) -> None:
    assert previewing.preview.is_shown
    assert not document.modified()
    assert previewing.preview._overlay._box == (124, 124, 8, 8)

    document.setSelection(fake_krita.Selection(QRect(100, 50, 20, 10)))

    until(lambda: previewing.preview._overlay._box == (106, 51, 8, 8))


def test_it_goes_when_applied_and_comes_with_the_next_choice(
    previewing: Any, connected: Any, until: Until
) -> None:
    apply(connected, until)
    assert not previewing.preview.is_shown

    results = previewing.panel.results
    results.choose_only(results.shown()[1:])

    assert previewing.preview.is_shown


def test_it_goes_with_escape_with_the_docker_and_with_its_button(
    previewing: Any, connected: Any, krita: Any, until: Until
) -> None:
    results = previewing.panel.results
    press(results, Qt.Key.Key_Escape)
    assert not previewing.preview.is_shown

    results.choose_only(results.shown()[:1])
    connected.hide()
    until(lambda: not previewing.preview.is_shown)

    connected.show()
    until(lambda: previewing.preview.is_shown)
    previewing.panel.preview.click()
    assert not previewing.preview.is_shown
    assert krita.settings["modelsheet", "previews"] == "false"


def test_without_a_document_there_is_none(previewing: Any, krita: Any, until: Until) -> None:
    krita.window.view = None

    until(lambda: not previewing.preview.is_shown)
