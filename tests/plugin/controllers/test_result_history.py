"""Results are kept by document: found again, searched, starred, removed, put back."""

from __future__ import annotations

from typing import Any

from tests.plugin import fake_krita
from tests.plugin.binding import Qt
from tests.plugin.conftest import Until, open_document
from tests.plugin.drive import apply, generate, press, said
from tests.plugin.fake_backend import FakeBackend


def front(krita: fake_krita.Krita, docker: Any, document: fake_krita.Document) -> None:
    """Bring a document to the front, as the artist does by a click on its tab."""
    assert krita.window is not None
    krita.window.view = fake_krita.View(document)
    docker.controller.check_document()


def restarted(krita: fake_krita.Krita, docker: Any, until: Until) -> Any:
    """Return the docker of a new session of Krita with the same settings and backend."""
    from modelsheet_krita.app.docker import register

    krita.open_documents.clear()
    assert krita.window is not None
    krita.window.view = None
    docker.controller.connection.close()
    register()
    return krita.factories[-1].kind()


def connect(docker: Any, until: Until) -> None:
    docker.controller.connection.connect_now()
    until(lambda: docker.controller.connection.state.phase == "connected")


def shown(docker: Any) -> int:
    return len(docker.controller.panel.results.images())


def test_each_document_has_its_own(
    connected: Any, document: Any, krita: fake_krita.Krita, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    other = open_document(krita, fake_krita.Document(64, 64))
    front(krita, connected, other)
    assert shown(connected) == 0
    gallery = connected.controller.panel.results
    assert gallery.is_empty()
    assert gallery._explanation.startswith("Nothing was generated for this document yet.")

    front(krita, connected, document)
    assert shown(connected) == 2

    front(krita, connected, other)
    header = connected.controller.panel.results_header
    header.scopes[True].trigger()
    assert shown(connected) == 2


def test_they_are_found_again_by_the_file(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
) -> None:
    document.setSelection(fake_krita.Selection(fake_krita.QRect(100, 50, 20, 10)))
    document.file = "/drawings/hero.ora"
    generate(connected, remote, until)
    document.file = "/drawings/hero.kra"  # Save As
    krita.notifier().imageSaved.emit(document.file)

    docker = restarted(krita, connected, until)
    other = open_document(krita, fake_krita.Document(64, 64))
    other.file = "/drawings/other.kra"
    connect(docker, until)
    opened = open_document(krita, fake_krita.Document(256, 256))
    opened.file = "/drawings/hero.kra"
    front(krita, docker, opened)

    until(lambda: shown(docker) == 2)
    gallery = docker.controller.panel.results
    assert gallery.chosen() == [], "Apply must not be about pictures that nobody chose"
    gallery.choose_only(gallery.shown()[:1])
    apply(docker, until)
    assert opened.rootNode().childNodes()[-1].bounds().getRect() == (106, 51, 8, 8)
    assert other.undo_steps == []


def test_they_are_found_again_in_a_file_that_was_moved(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
) -> None:
    document.file = "/drawings/hero.kra"
    generate(connected, remote, until)
    assert not document.modified()
    apply(connected, until)

    docker = restarted(krita, connected, until)
    moved = open_document(krita, fake_krita.Document(256, 256))
    moved.file, moved.annotations = "/elsewhere/knight.kra", dict(document.annotations)
    connect(docker, until)

    until(lambda: shown(docker) == 2)


def test_pictures_that_come_while_another_document_is_in_front_are_announced(
    connected: Any, document: Any, krita: fake_krita.Krita, remote: FakeBackend, until: Until
) -> None:
    panel = connected.controller.panel
    panel.prompt.setText("a knight")
    panel.generate.click()
    until(lambda: remote.jobs)
    front(krita, connected, open_document(krita, fake_krita.Document(64, 64)))

    remote.generate_done()

    until(lambda: said(connected))
    assert said(connected).startswith("Pictures for another document are done.")
    assert shown(connected) == 0


def test_search_finds_words_and_seeds(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, prompt="@hero holding sword")
    generate(connected, remote, until, count=1, prompt="@hero asleep")
    search = connected.controller.panel.results_header.search

    for text, count in (("SWORD hero", 2), ("asleep", 1), ("8", 1), ("horse", 0), ("", 3)):
        search.setText(text)
        assert shown(connected) == count, text


def test_new_pictures_end_the_search(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    header = connected.controller.panel.results_header
    header.search.setText("horse")
    header.starred.setChecked(True)
    panel = connected.controller.panel
    panel.box.count.setValue(1)

    panel.generate.click()
    until(lambda: any(job.result is None for job in list(remote.jobs.values())))
    remote.generate_done()

    until(lambda: shown(connected) == 3)
    assert len(panel.results.chosen()) == 1


def test_stars_last_and_are_spared_when_the_list_is_cleared(
    connected: Any, document: fake_krita.Document, krita: Any, remote: FakeBackend, until: Until
) -> None:
    document.file = "/drawings/hero.kra"
    generate(connected, remote, until)
    generate(connected, remote, until, count=1, prompt="@hero asleep")
    panel = connected.controller.panel
    panel.results.choose_only(panel.results.shown()[:1])

    press(panel.results, Qt.Key.Key_S)
    panel.results_header.starred.setChecked(True)
    assert shown(connected) == 1
    panel.results_header.starred.setChecked(False)
    panel.results_header.clear_wanted.emit()

    assert shown(connected) == 1
    docker = restarted(krita, connected, until)
    opened = open_document(krita, fake_krita.Document(256, 256))
    opened.file = "/drawings/hero.kra"
    connect(docker, until)
    until(lambda: shown(docker) == 1)
    docker.controller.panel.results_header.starred.setChecked(True)
    assert shown(docker) == 1


def test_what_delete_removes_can_be_put_back(
    connected: Any, document: Any, krita: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=3)
    results = connected.controller.panel.results
    keys = results.shown()
    results.choose_only(keys[1:2])

    press(results, Qt.Key.Key_Delete)

    assert results.shown() == [keys[0], keys[2]]
    assert results.chosen() == [keys[2]], "the next one is at hand"
    assert said(connected) == "1 picture is removed from the list."
    press(results, Qt.Key.Key_Z, modifiers=Qt.KeyboardModifier.ControlModifier)
    assert results.shown() == keys
    assert krita.settings["modelsheet", "discarded"] == "[]"
    assert said(connected) == ""


def test_after_applying_undo_is_the_document_s(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    results = connected.controller.panel.results
    results.choose_only(results.shown()[:1])
    press(results, Qt.Key.Key_Delete)
    assert results.takes_undo

    apply(connected, until)

    assert not results.takes_undo
