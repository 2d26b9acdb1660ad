"""From the selected layers to key views and animated layers, through the form for model sheets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from modelsheet.api.animate import AnimateRequest
from modelsheet.api.jobs import Progress
from tests.plugin import fake_krita
from tests.plugin.binding import QRect
from tests.plugin.conftest import Until, open_document
from tests.plugin.drive import learn_hero, said
from tests.plugin.fake_backend import FakeBackend

GREY = b"\x80\x80\x80\xff"
NOTE = "modelsheet/model-sheets"


@pytest.fixture
def hero(krita: fake_krita.Krita) -> fake_krita.Document:
    """A large canvas with a figure that has room around it."""
    document = open_document(krita, fake_krita.Document(256, 256))
    layer = document.add("Hero front", area=QRect(40, 30, 12, 16))
    layer.setPixelData(fake_krita.QByteArray(figure(12, 16)), 40, 30, 12, 16)
    krita.window.view.selected = [layer]
    return document


def figure(width: int, height: int) -> bytes:
    """A clear column, then an opaque figure."""
    return (bytes(4) + b"\x10\x20\x30\xff" * (width - 1)) * height


def open_form(docker: Any, until: Until) -> Any:
    docker.animate.open()
    until(lambda: is_open(docker) or said(docker))
    assert is_open(docker), said(docker)
    until(lambda: docker.animate.dialog.action_boxes)
    return docker.animate.dialog


def is_open(docker: Any) -> bool:
    session = docker.animate._session
    return session is not None and session.dialog.isVisible()


def form_says(docker: Any) -> str:
    remarks = docker.animate.dialog.remarks
    return "" if remarks.isHidden() else remarks.text.text()


def draw(docker: Any, backend: FakeBackend, until: Until, button: str) -> AnimateRequest:
    """Press the button and let the backend draw; return the request."""
    getattr(docker.animate.dialog, button).click()
    until(lambda: is_waiting(backend))
    request = backend.animate_done()
    until(lambda: not docker.animate.session.is_busy)
    until(lambda: docker.animate.dialog.insert.isEnabled())
    return request


def is_waiting(backend: FakeBackend) -> bool:
    jobs = [*backend.jobs.values()]
    return any(job.kind == "animate" and job.result is None for job in jobs)


def insert(docker: Any, until: Until, how: str = "layers") -> None:
    docker.animate.dialog.insert_wanted.emit(how)
    until(lambda: not docker.animate.is_inserting)


def names(node: Any) -> list[str]:
    return [child.name() for child in node.childNodes()[::-1]]


def top(document: fake_krita.Document) -> Any:
    return document.rootNode().childNodes()[-1]


def test_key_views_become_layers_in_one_undo_step(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    form = open_form(connected, until)
    assert form.drawings.views() == ["front"]
    assert form.chosen_actions() == ["walk"]
    assert not form.insert.isEnabled()

    request = draw(connected, remote, until, "key_views")
    assert (request.actions, [one.view for one in request.drawings]) == ([], ["front"])
    assert not hero.modified()
    insert(connected, until)

    group = top(hero)
    assert group.name() == "Model sheet: Hero"
    assert names(group) == ["front", "left", "back", "right"]
    corners = [one.bounds().getRect() for one in group.childNodes()[::-1]]
    assert corners == [(41 + 9 * number, 32, 8, 8) for number in range(4)]
    assert all(one.visible() for one in group.childNodes())
    assert len(hero.undo_steps) == 1
    assert "Correct them there" in form_says(connected)


def test_corrected_key_views_are_the_drawings_of_the_animation(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    open_form(connected, until)
    draw(connected, remote, until, "key_views")
    insert(connected, until)
    sheet = top(hero)
    left = sheet.childNodes()[-2]
    left.setPixelData(fake_krita.QByteArray(b"\x01\x02\x03\xff" * 64), *left.bounds().getRect())

    request = draw(connected, remote, until, "animate")

    assert [one.view for one in request.drawings] == ["front", "left", "back", "right"]
    assert remote.blobs[request.drawings[1].image.blob] == b"\x01\x02\x03\xff" * 64
    assert request.actions == ["walk"]
    connected.animate.dialog.rate.setCurrentIndex(0)
    insert(connected, until)
    group = top(hero)
    assert group.name() == "Model sheet: Hero, animated"
    assert names(group) == ["front", "left", "back", "right"]
    (walk,) = group.childNodes()[-1].childNodes()
    assert (walk.name(), walk.animated(), walk.has_onion_skins) == ("Walk", True, True)
    assert sorted(walk.frames) == [0, 1, 2]
    assert (hero.frame_rate, hero.last_time) == (10, 2)
    assert len(hero.undo_steps) == 2
    assert not sheet.visible()


def test_frames_keep_their_times_at_the_documents_rate(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    hero.add("blink").frames = {0: (QRect(0, 0, 1, 1), GREY), 40: (QRect(0, 0, 1, 1), GREY)}
    hero.last_time = 40
    hero.setActiveNode(hero.rootNode().childNodes()[1])
    form = open_form(connected, until)

    assert form.rate.currentData() == 24
    draw(connected, remote, until, "animate")
    insert(connected, until)

    walk = top(hero).childNodes()[-1].childNodes()[-1]
    assert sorted(walk.frames) == [0, 2, 5]
    assert (hero.frame_rate, hero.last_time) == (24, 40)


def test_a_sheet_is_found_again_by_its_layers(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, krita: Any, until: Until
) -> None:
    form = open_form(connected, until)
    form.action_boxes["slash"].setChecked(True)
    draw(connected, remote, until, "key_views")
    insert(connected, until)
    draw(connected, remote, until, "animate")
    insert(connected, until)
    former = top(hero)
    form.close_button.click()
    assert json.loads(hero.annotations[NOTE])["version"] == 1
    krita.window.view.selected = [former.childNodes()[0]]

    again = open_form(connected, until)

    assert again.chosen_actions() == ["walk", "slash"]
    assert again.drawings.views() == ["front", "left", "back", "right"]
    assert not again.key_views.isEnabled()
    assert "layers already" in again.key_views.toolTip()
    draw(connected, remote, until, "animate")
    insert(connected, until)
    assert not former.visible()
    assert top(hero).visible()


def test_the_fit_follows_the_artist_and_the_drawing(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    form = open_form(connected, until)
    assert form.fit_section.isHidden()
    first = draw(connected, remote, until, "key_views")
    assert first.fit is None
    until(lambda: not form.fit_section.isHidden())
    assert form.fit.fit().neck == 4

    form.fit.fields["neck"].setValue(5.5)
    second = draw(connected, remote, until, "key_views")

    assert second.fit is not None
    assert (second.fit.neck, second.fit.feet, second.fit.body) == (5.5, 14, "male")


def test_progress_is_shown_and_closing_stops_the_job(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    form = open_form(connected, until)
    form.animate.click()
    until(lambda: remote.the_request(AnimateRequest))
    drawn = [remote.preview("front"), *(remote.preview(f"walk left {k}") for k in range(2))]
    remote.progress(
        "animate", Progress(phase="painting", step=5, total=12, fraction=5 / 12, previews=drawn)
    )
    until(lambda: form.progress.format() == "Frame 5 of 12")
    until(lambda: form.shown.count() == 2)
    played = connected.animate.session.pictures.played()
    assert [one.duration_ms for one in played["walk"]["left"]] == [100, 100]
    assert list(played) == ["", "walk"]
    assert not form.animate.isEnabled()

    form.close_button.click()

    until(lambda: remote.job_of("animate").state == "cancelled")


def test_other_layers_take_the_place_of_those_of_which_nothing_was_drawn(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, krita: Any, until: Until
) -> None:
    first = open_form(connected, until)
    orc = hero.add("Orc left", area=QRect(80, 30, 12, 16))
    orc.setPixelData(fake_krita.QByteArray(figure(12, 16)), 80, 30, 12, 16)
    krita.window.view.selected = [orc]

    connected.animate.open()

    until(lambda: connected.animate.dialog is not first and is_open(connected))
    assert connected.animate.dialog.windowTitle() == "Model Sheet: Orc"
    until(lambda: connected.animate.dialog.action_boxes)
    draw(connected, remote, until, "key_views")
    second = connected.animate.dialog
    connected.animate.open()
    assert connected.animate.dialog is second


def test_a_failed_job_says_why_and_can_be_tried_again(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    form = open_form(connected, until)
    form.animate.click()
    until(lambda: remote.the_request(AnimateRequest))

    remote.fail("animate", "Two figures are on this layer.")

    until(lambda: form_says(connected) == "Two figures are on this layer.")
    assert form.animate.isEnabled()
    assert not hero.modified()


def test_the_frames_go_on_one_layer_as_a_sheet(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    open_form(connected, until)
    draw(connected, remote, until, "animate")

    insert(connected, until, "sheet")

    assert top(hero).bounds().getRect()[2:] == (3 * 8, 4 * 8)
    assert len(hero.undo_steps) == 1


@pytest.mark.parametrize("engine", ["aseprite", "texturepacker", "godot"])
def test_the_frames_are_saved_for_an_engine(
    connected: Any,
    remote: FakeBackend,
    hero: fake_krita.Document,
    until: Until,
    tmp_path: Path,
    engine: str,
) -> None:
    open_form(connected, until)
    draw(connected, remote, until, "animate")
    animate = connected.animate
    animate.dialog.insert_wanted.emit(engine)
    path = tmp_path / "hero.png"

    animate.saver.dialog.fileSelected.emit(str(path))

    until(lambda: form_says(connected).startswith("hero.png and its atlas are in"))
    assert path.is_file()
    assert path.with_suffix(".tres" if engine == "godot" else ".json").is_file()
    assert not hero.modified()


def test_a_subject_is_animated_without_layers(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    learn_hero(connected, remote, until)
    subject = remote.subjects[0]
    connected.controller.panel.subjects.subject_sheet_wanted.emit(subject.id)
    until(lambda: is_open(connected) and connected.animate.dialog.action_boxes)

    request = draw(connected, remote, until, "animate")

    assert (request.subject, request.drawings) == ("@hero", [])
    insert(connected, until)
    walk = top(hero).childNodes()[-1].childNodes()[-1]
    assert walk.frames[0][0].getRect() == (64, 64, 128, 128)  # the tiles around the middle


def test_own_figures_become_an_action(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, krita: Any, until: Until
) -> None:
    form = open_form(connected, until)
    dance = hero.add("dance left")
    dance.frames = dict.fromkeys((0, 6, 12), (QRect(100, 100, 9, 16), figure(9, 16)))
    dance.frames[0] = (QRect(100, 100, 8, 16), GREY * (8 * 16))
    hero.last_time = 12
    krita.window.view.selected = [dance]
    hero.setActiveNode(dance)
    motion = connected.animate.use_motion

    form.use_motion.click()
    until(lambda: motion.dialog is not None and motion.dialog.isVisible() or said(connected))
    assert "3 frames of 250 ms each, seen from: left" in motion.dialog.hint.text()
    motion.dialog.ok.click()

    until(lambda: "dance" in form.action_boxes)
    assert form.action_boxes["dance"].isChecked()
    form.action_boxes["walk"].setChecked(False)
    request = draw(connected, remote, until, "animate")
    (own,) = request.own_actions
    assert (own.name, own.view, own.frame_ms, len(own.mannequins)) == ("dance", "left", 250, 3)
    assert request.actions == []
    form.close_button.click()
    krita.window.view.selected = [hero.rootNode().childNodes()[1]]
    assert "dance" in open_form(connected, until).action_boxes


def opaque(document: fake_krita.Document) -> Any:
    return [document.add("wall", area=QRect(0, 0, 256, 256))]


def large(document: fake_krita.Document) -> Any:
    document._width = document._height = 8000
    return [document.add("giant", area=QRect(0, 0, 8000, 10))]


def huge(document: fake_krita.Document) -> Any:
    document._width = document._height = 9000
    layer = document.add("titan")
    layer._area = QRect(0, 0, 9000, 9000)
    return [layer]


def five(document: fake_krita.Document) -> Any:
    return [document.add(f"view {number}", area=QRect(9, 9, 9, 9)) for number in range(5)]


BAD = {
    "empty": (lambda document: [document.add("nothing")], "“nothing” is empty."),
    "opaque": (opaque, "“wall” has no transparency around the figure."),
    "large": (large, "“giant” is larger than 2048 pixels, too large to animate."),
    "huge": (huge, "“titan” is 9000 × 9000 pixels, too large"),
    "five": (five, "5 layers are selected. Select at most four"),
    "mask": (lambda document: [document.add("m", "filtermask")], "“m” is a mask."),
}


@pytest.mark.parametrize("kind", BAD)
def test_layers_that_cannot_be_animated_get_a_sentence(
    connected: Any, hero: fake_krita.Document, krita: Any, until: Until, kind: str
) -> None:
    arrange, sentence = BAD[kind]
    krita.window.view.selected = arrange(hero)

    connected.animate.open()

    until(lambda: said(connected))
    assert said(connected).startswith(sentence)
    assert not is_open(connected)
    assert not hero.modified()


def test_no_document_gets_a_sentence(connected: Any) -> None:
    connected.animate.open()

    assert said(connected).startswith("No document is open")


def test_a_backend_that_cannot_animate_is_told_of(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    remote.actions = None
    connected.animate.open()

    until(lambda: is_open(connected) and form_says(connected))

    assert form_says(connected).startswith("This backend cannot animate.")
    assert not connected.animate.dialog.animate.isEnabled()


def test_the_form_says_what_is_missing(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    form = open_form(connected, until)

    form.action_boxes["walk"].setChecked(False)
    assert form.hint.text() == "Tick an action to animate."
    assert form.key_views.isEnabled()
    for box in form.views.values():
        box.setChecked(False)
    assert form.hint.text() == "Tick a view."
    assert not form.key_views.isEnabled()


def test_two_drawings_of_one_side_are_told_of(
    connected: Any, hero: fake_krita.Document, krita: Any, until: Until
) -> None:
    layers = [hero.add("Hero сзади", area=QRect(40, 30, 12, 16)), *krita.window.view.selected]
    layers[0].setPixelData(fake_krita.QByteArray(figure(12, 16)), 40, 30, 12, 16)
    krita.window.view.selected = layers
    form = open_form(connected, until)
    assert form.drawings.views() == ["back", "front"]

    form.drawings.boxes[1].setCurrentIndex(form.drawings.boxes[1].findData("back"))

    assert form.hint.text().startswith("Two drawings show the same side.")
    assert not form.animate.isEnabled()


def test_key_views_that_are_gone_get_a_sentence(
    connected: Any, remote: FakeBackend, hero: fake_krita.Document, until: Until
) -> None:
    form = open_form(connected, until)
    draw(connected, remote, until, "key_views")
    insert(connected, until)
    top(hero).remove()

    form.animate.click()

    until(lambda: form_says(connected).startswith("The key views of “Hero” are gone or empty."))
    assert form.animate.isEnabled()
