"""Several subjects in one prompt: each is painted where its layer lies, or the docker says they
blend."""

from __future__ import annotations

from typing import Any

import pytest

from tests.plugin import conftest as _plugin_on_path  # noqa: F401
from tests.plugin import fake_krita
from tests.plugin.binding import QRect
from tests.plugin.conftest import Until
from tests.plugin.drive import generate, newest_request, said
from tests.plugin.fake_backend import FakeBackend

from modelsheet_krita.prompt_regions import EMPTY_SCENE, split_prompt  # isort: skip

SPLIT = {
    "@hero": ({"hero": "@hero"}, ""),
    "@hero and @orc": ({"hero": "@hero", "orc": "@orc"}, ""),
    "@hero holding sword, @orc running": (
        {"hero": "@hero holding sword", "orc": "@orc running"},
        "",
    ),
    "at night, @Hero next to @orc": ({"hero": "@Hero", "orc": "@orc"}, "at night"),
    "in a forest\n@hero waving\nat dusk\n@orc": (
        {"hero": "@hero waving", "orc": "@orc"},
        "in a forest, at dusk",
    ),
    "@hero standing and @hero sitting": ({"hero": "@hero standing, @hero sitting"}, ""),
    "me@home.org and @@orc": ({"orc": "@orc"}, "me@home.org and @"),
    "@герой и @орк": ({"герой": "@герой", "орк": "@орк"}, ""),
    "@हीरो and @anna/orc.": ({"हीरो": "@हीरो", "anna/orc": "@anna/orc."}, ""),
    "": ({}, ""),
}


@pytest.mark.parametrize(("prompt", "expected"), SPLIT.items(), ids=range(len(SPLIT)))
def test_a_prompt_is_split_at_its_names(prompt: str, expected: tuple[Any, str]) -> None:
    found = split_prompt(prompt)

    assert (found.subjects, found.whole) == expected


def test_a_whole_without_words_has_a_scene() -> None:
    assert split_prompt("@hero and @orc").scene == EMPTY_SCENE


def write(docker: Any, prompt: str) -> Any:
    docker.controller.panel.prompt.setText(prompt)
    return docker.controller.panel.box.places


def test_several_names_get_a_sentence_and_one_gets_none(connected: Any, document: Any) -> None:
    places = write(connected, "@hero waving")
    assert places.isHidden()

    write(connected, "@hero and @orc")

    assert not places.isHidden()
    assert places.text.text().startswith("Several names in one prompt blend into one figure")


def test_the_selection_becomes_a_place_in_one_undo_step(
    connected: Any, document: fake_krita.Document
) -> None:
    places = write(connected, "@hero and @orc")
    places.place_wanted.emit("orc")
    assert said(connected).startswith("Select the area where you want @orc")
    document.setSelection(fake_krita.Selection(QRect(100, 50, 20, 10)))

    places.place_wanted.emit("orc")

    layer = document.rootNode().childNodes()[-1]
    assert (layer.name(), layer.bounds().getRect()) == ("@orc", (100, 50, 20, 10))
    assert layer.opacity() == 128
    assert len(document.undo_steps) == 1
    assert connected.controller.places._find(split_prompt("@hero @orc")) == {"orc": "@orc"}


def test_subjects_with_places_become_regions(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.add("Place of @Hero", area=QRect(20, 30, 10, 20))
    document.add("@orc", area=QRect(40, 30, 10, 20), bgra=b"\x00\x00\xff\x80")
    write(connected, "at night, @hero waving and @orc")

    connected.controller.panel.generate.click()
    request = newest_request(remote, until)

    assert request.prompt == "at night"
    assert [one.prompt for one in request.regions] == ["@hero waving, at night", "@orc, at night"]
    masks = [remote.blobs[one.mask.blob] for one in request.regions]
    assert {(one.mask.width, one.mask.height) for one in request.regions} == {(30, 20)}
    row = b"\xff" * 10
    assert masks == [(row + bytes(20)) * 20, (bytes(20) + row) * 20]


def test_what_regions_gave_fills_their_box_again(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.add("@hero", area=QRect(20, 30, 8, 20))
    document.add("@orc", area=QRect(40, 30, 10, 20))
    generate(connected, remote, until, count=1, prompt="@hero and @orc")
    results = connected.controller.panel.results

    connected.controller.panel.apply_wanted.emit(results.chosen(), "layers")

    until(lambda: document.undo_steps)
    assert document.rootNode().childNodes()[-1].bounds().getRect() == (20, 30, 30, 20)
    connected.controller.panel.result_wanted.emit("prompt", results.chosen())
    assert connected.controller.panel.prompt.text() == "@hero\n@orc"


@pytest.mark.parametrize("kind", ["empty", "hidden group", "start"])
def test_places_that_cannot_be_used_get_a_sentence(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, kind: str
) -> None:
    document.add("@hero", area=QRect(20, 30, 8, 20))
    if kind == "hidden group":
        document.add("@orc", "grouplayer").setVisible(False)
    else:
        document.add("@orc", area=QRect(40, 30, 8, 8) if kind == "start" else None)
    advanced = connected.controller.panel.box.advanced
    if kind == "start":
        advanced.source.setCurrentIndex(advanced.source.findData("canvas"))
    write(connected, "@hero and @orc")

    connected.controller.panel.generate.click()

    expected = {
        "empty": "The layer “@orc” is empty.",
        "hidden group": "Show the layer “@orc”",
        "start": "Subjects with places of their own",
    }
    assert said(connected).startswith(expected[kind])
    assert remote.jobs == {}
