"""Results are applied on top, above or into the active layer, and as a sheet that fits."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin import fake_krita
from tests.plugin.binding import QRect
from tests.plugin.conftest import Until, open_document
from tests.plugin.drive import GREEN, generate, is_applying, said
from tests.plugin.fake_backend import FakeBackend


def apply_as(docker: Any, how: str, until: Until, count: int = 64) -> None:
    results = docker.controller.panel.results
    docker.controller.panel.apply_wanted.emit(results.shown()[:count], how)
    until(lambda: not is_applying(docker))


def names(document: fake_krita.Document) -> list[str]:
    return [node.name() for node in document.rootNode().childNodes()]


def test_a_sheet_that_does_not_fit_is_a_new_document(
    connected: Any, krita: fake_krita.Krita, remote: FakeBackend, until: Until
) -> None:
    document = open_document(krita, fake_krita.Document(15, 64))
    document.file = "/drawings/hero.kra"
    generate(connected, remote, until, count=4)

    apply_as(connected, "sheet", until)

    assert document.undo_steps == []
    assert krita.window
    assert krita.window.view
    created = krita.window.view.document()
    assert (created.width(), created.height()) == (16, 16)
    assert bytes(created.rootNode().childNodes()[-1].pixelData(0, 0, 16, 16)) == GREEN * 256
    assert said(connected).startswith("The sheet is larger than the canvas of “hero.kra”")
    connected.controller.check_document()
    assert len(connected.controller.panel.results.images()) == 4, "they stay in sight"


def test_a_sheet_lies_within_the_canvas(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(0, 250, 4, 6)))
    generate(connected, remote, until, count=4)

    apply_as(connected, "sheet", until)

    assert document.rootNode().childNodes()[-1].bounds().getRect() == (0, 240, 16, 16)


def test_a_picture_larger_than_the_canvas_is_said_to_be(
    connected: Any, krita: fake_krita.Krita, remote: FakeBackend, until: Until
) -> None:
    open_document(krita, fake_krita.Document(6, 6))
    generate(connected, remote, until, count=1)

    apply_as(connected, "layers", until)

    assert said(connected).startswith("The picture is 8 × 8 pixels, larger than the canvas")


def test_above_the_active_layer(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.add("sky")
    document.setActiveNode(document.rootNode().childNodes()[0])
    generate(connected, remote, until, count=1)

    apply_as(connected, "above", until)

    assert names(document) == ["front", "@hero holding sword (seed 7)", "sky"]
    assert len(document.undo_steps) == 1


def test_beside_a_layer_in_a_hidden_group_nothing_would_be_seen(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    group = document.add("sketches", "grouplayer")
    document.add("sketch", parent=group)
    group.setVisible(False)
    generate(connected, remote, until, count=1)

    apply_as(connected, "above", until)

    assert said(connected).startswith("The group “sketches” is hidden.")
    assert document.undo_steps == []


def test_into_the_active_layer(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(12, 24, 8, 8)))
    generate(connected, remote, until, count=1)

    apply_as(connected, "into", until)

    assert names(document) == ["front"]
    layer = document.rootNode().childNodes()[0]
    assert bytes(layer.pixelData(12, 24, 8, 8)) == GREEN * 64
    assert bytes(layer.pixelData(11, 24, 1, 1)) == b"\x10\x20\x30\xff"
    assert "Undo twice" in said(connected)
    assert len(document.undo_steps) == 2


REFUSED = {
    "group": "Select a paint layer without an animation",
    "locked": "“front” is locked.",
    "hidden": "“front” is hidden.",
    "several": "Select one picture",
}


@pytest.mark.parametrize(("why", "sentence"), REFUSED.items(), ids=REFUSED)
def test_what_no_layer_takes(
    connected: Any,
    document: fake_krita.Document,
    remote: FakeBackend,
    until: Until,
    why: str,
    sentence: str,
) -> None:
    generate(connected, remote, until)
    layer = document.rootNode().childNodes()[0]
    layer.is_locked = why == "locked"
    layer.setVisible(why != "hidden")
    if why == "group":
        document.add("a group", "grouplayer")

    apply_as(connected, "into", until, count=2 if why == "several" else 1)

    assert said(connected).startswith(sentence)
    assert document.undo_steps == []


def test_a_new_selection_moves_the_place(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=1)
    document.setSelection(fake_krita.Selection(QRect(100, 50, 20, 10)))

    apply_as(connected, "layers", until)

    assert document.rootNode().childNodes()[-1].bounds().getRect() == (106, 51, 8, 8)


def test_results_of_several_prompts_are_one_group_and_one_undo_step(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=1)
    generate(connected, remote, until, count=1, prompt="@hero asleep")

    apply_as(connected, "layers", until)

    group = document.rootNode().childNodes()[-1]
    assert group.name() == "@hero asleep and 1 other prompt"
    assert [layer.name() for layer in group.childNodes()] == [
        "@hero holding sword (seed 7)",
        "@hero asleep (seed 7)",
    ]
    assert len(document.undo_steps) == 1
