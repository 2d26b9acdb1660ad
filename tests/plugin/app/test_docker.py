"""The docker against a fake Krita and a fake backend: the road, and what bad input gets."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest

from modelsheet.api.jobs import Progress
from modelsheet.api.learn import LearnRequest
from modelsheet.prompts.class_nouns import GENERAL_NOUNS
from tests.plugin import fake_krita
from tests.plugin.binding import QApplication, QDockWidget, QRect, Qt
from tests.plugin.conftest import Until, open_document
from tests.plugin.drive import (
    GREEN,
    apply,
    captions,
    generate,
    learn_hero,
    open_form,
    press,
    said,
    start,
)
from tests.plugin.fake_backend import FakeBackend


def trouble(docker: Any) -> str:
    notice = docker.controller.panel.connection_notice
    return "" if notice.isHidden() else notice.text.text()


def test_selected_layers_are_learnt_and_the_subject_appears(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)

    request = remote.the_request(LearnRequest)
    reference = request.images[0]
    assert (request.name, request.class_noun, request.preset) == ("Hero", "knight", "balanced")
    assert (reference.width, reference.height, reference.name) == (16, 24, "front")
    assert remote.blobs[reference.blob] == b"\x10\x20\x30\xff" * (16 * 24)
    assert (
        connected.controller.panel.subjects.items.item(0)
        .text()
        .startswith("Hero\n@hero · knight\n")
    )
    assert not document.modified()


def test_results_become_one_group_that_one_undo_removes(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(100, 50, 20, 10)))
    generate(connected, remote, until)
    assert not document.modified()

    apply(connected, until)

    group = document.rootNode().childNodes()[-1]
    layers = group.childNodes()
    assert (group.type(), group.name()) == ("grouplayer", "@hero holding sword (seed 7)")
    assert [layer.name() for layer in layers] == ["seed 8", "seed 7"]
    assert [layer.visible() for layer in layers] == [False, True]
    assert [layer.bounds().getRect() for layer in layers] == [(106, 51, 8, 8)] * 2
    assert bytes(layers[0].pixelData(106, 51, 8, 8)) == GREEN * 64
    assert len(document.undo_steps) == 1
    document.undo()
    assert [node.name() for node in document.rootNode().childNodes()] == ["front"]


def test_what_was_applied_is_active_and_open(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)

    apply(connected, until)

    group = document.rootNode().childNodes()[-1]
    assert document.activeNode() is group
    assert not group.is_collapsed


def test_without_a_selection_results_go_to_the_middle_of_the_canvas(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=1)

    apply(connected, until)

    layer = document.rootNode().childNodes()[-1]
    assert layer.bounds().getRect() == (124, 124, 8, 8)


def test_results_go_into_the_document_in_front(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
) -> None:
    generate(connected, remote, until)
    other = open_document(krita, fake_krita.Document(64, 64))
    other.file = "/drawings/other.kra"
    connected.controller.panel.results_header.scope_changed.emit(True)

    apply(connected, until)

    assert document.undo_steps == []
    assert len(other.undo_steps) == 1
    group = other.rootNode().childNodes()[-1]
    assert group.childNodes()[0].bounds().getRect() == (28, 28, 8, 8)
    assert krita.window
    assert krita.window.view
    assert krita.window.view.messages == ["2 pictures are in “other.kra”"]


def test_the_document_they_were_painted_for_may_be_closed(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
) -> None:
    generate(connected, remote, until)
    document.close()
    other = open_document(krita, fake_krita.Document(64, 64))

    apply(connected, until)

    assert len(other.undo_steps) == 1
    assert said(connected) == ""


def test_without_a_document_nothing_is_lost(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
) -> None:
    generate(connected, remote, until)
    document.close()
    assert krita.window
    krita.window.view = None

    apply(connected, until)

    assert said(connected).startswith("No document is open")
    assert len(connected.controller.panel.results.images()) == 2


@pytest.mark.parametrize(
    "space",
    [
        ("RGBA", "U16", "sRGB-elle-V2-g10.icc"),
        ("RGBA", "F32", "sRGB-elle-V2-g10.icc"),
        ("CMYKA", "U8", "Chemical proof"),
        ("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc"),
    ],
    ids=lambda space: f"{space[0]}-{space[1]}",
)
def test_documents_of_other_colours_are_read_as_srgb_and_written_in_their_own(
    connected: Any,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
    space: tuple[str, str, str],
) -> None:
    document = open_document(krita, fake_krita.Document(256, 256, space))
    learn_hero(connected, remote, until)
    generate(connected, remote, until, count=1)

    apply(connected, until)

    sent = remote.blobs[remote.the_request(LearnRequest).images[0].blob]
    grey = bytes([0x20, 0x20, 0x20, 0xFF])
    assert sent[:4] == (grey if space[0] == "GRAYA" else b"\x10\x20\x30\xff")
    layer = document.rootNode().childNodes()[-1]
    assert (layer.colorModel(), layer.colorDepth(), layer.colorProfile()) == space
    written = bytes(layer.pixelData(124, 124, 1, 1))
    assert written == fake_krita.convert(GREEN, fake_krita.SRGB, space)
    assert krita.open_documents == [document], "the document for conversions is closed again"


def none_selected(document: fake_krita.Document) -> list[Any]:
    document.active = None
    return []


def hidden_group(document: fake_krita.Document) -> list[Any]:
    group = document.add("outfit", "grouplayer")
    document.add("coat", area=QRect(0, 0, 20, 20), parent=group).setVisible(False)
    return [group]


def add(**options: Any) -> Any:
    return lambda document: [document.add("it", **options)]


BAD_LAYERS = {
    "nothing": (none_selected, "No layer is selected. Select the layers"),
    "empty": (add(), "“it” is empty. Paint on it, or deselect it."),
    "transparent": (
        add(area=QRect(0, 0, 9, 9), bgra=b"\xff\xff\xff\0"),
        "“it” is fully transparent. Paint on it",
    ),
    "one-pixel": (add(area=QRect(5, 5, 1, 1)), "“it” is only 1 × 1 pixels; at least 8 × 8"),
    "outside": (add(area=QRect(300, 0, 9, 9)), "“it” lies outside the canvas. Move it in"),
    "mask": (add(kind="transparencymask"), "“it” is a mask. Select the layer"),
    "filter": (add(kind="filterlayer"), "“it” is a filter layer without a picture"),
    "hidden-group": (hidden_group, "Nothing in the group “outfit” can be seen"),
}


@pytest.mark.parametrize(("arrange", "sentence"), BAD_LAYERS.values(), ids=BAD_LAYERS)
def test_layers_that_cannot_be_learnt_get_a_sentence(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    arrange: Any,
    sentence: str,
    until: Until,
) -> None:
    krita.window.view.selected = arrange(document)

    connected.controller.learn.open()

    until(lambda: said(connected).startswith(sentence))
    assert not connected.controller.learn.dialog.isVisible()
    assert not document.modified()
    assert document.undo_steps == []


def test_bad_layers_among_good_ones_are_left_out_and_named(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    krita.window.view.selected += [document.add("blur", "filterlayer"), document.add("empty")]

    form = open_form(connected, until)

    assert form.images.count() == 1
    assert form.remarks.text.text().startswith("Left out: “empty” is empty.")
    assert "“blur” is a filter layer" in form.remarks.text.text()


def test_a_hidden_group_is_read_without_showing_it(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    group = document.add("outfit", "grouplayer")
    document.add("coat", area=QRect(0, 0, 20, 20), parent=group)
    group.setVisible(False)
    krita.window.view.selected = [group]

    form = open_form(connected, until)

    assert captions(form) == ["outfit"]
    assert not group.visible()


def test_a_layer_in_a_selected_group_is_sent_once(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    group = document.add("outfit", "grouplayer")
    coat = document.add("coat", area=QRect(0, 0, 20, 20), parent=group)
    krita.window.view.selected = [coat, group]

    form = open_form(connected, until)

    assert captions(form) == ["outfit"]


def test_a_small_layer_on_a_huge_canvas_is_learnt(connected: Any, krita: Any, until: Until) -> None:
    open_document(krita, fake_krita.Document(20_000, 20_000))

    assert open_form(connected, until).images.count() == 1


def test_a_layer_as_large_as_a_huge_canvas_is_refused_before_it_is_read(
    connected: Any, krita: Any, until: Until
) -> None:
    document = open_document(krita, fake_krita.Document(20_000, 20_000))
    layer = document.add("sky")
    layer._area = QRect(0, 0, 20_000, 20_000)
    krita.window.view.selected = [layer]

    connected.controller.learn.open()

    until(lambda: said(connected))
    assert said(connected).startswith("“sky” is 20000 × 20000 pixels, too large")


def test_no_document_gets_a_sentence(connected: Any) -> None:
    connected.controller.learn.open()

    assert said(connected).startswith("No document is open in this window.")


def test_results_without_any_document_wait_for_one(
    connected: Any, krita: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=1)
    apply(connected, until)
    assert said(connected).startswith("No document is open in this window.")

    document = open_document(krita, fake_krita.Document(256, 256))
    apply(connected, until)

    assert len(document.undo_steps) == 1


NAMES = {
    "empty": ("", "You will write @name in prompts.", False),
    "blank": ("   ", "You will write @name in prompts.", False),
    "long": ("x" * 500, "The name has 500 characters; shorten it to 80.", False),
    "emoji": ("🗡️🔥", "The name needs a letter or a digit", False),
    "slashes": (
        "red/knight 🗡",
        "In prompts: @red_knight (only letters and digits count there)",
        True,
    ),
    "good": ("hero", "In prompts: @hero", True),
    "cyrillic": ("Герой", "In prompts: @герой", True),
}


@pytest.mark.parametrize(("name", "hint", "can_learn"), NAMES.values(), ids=NAMES)
def test_the_form_judges_the_name(
    connected: Any, document: Any, name: str, hint: str, can_learn: bool, until: Until
) -> None:
    form = open_form(connected, until)
    form.class_noun.setEditText("knight")

    form.name.setText(name)

    assert form.hint.text().startswith(hint)
    assert form.learn.isEnabled() == can_learn


def test_a_name_that_is_taken_is_refused(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)

    form = open_form(connected, until)
    form.name.setText("HERO")

    assert form.hint.text() == "There is a subject @hero already. Choose another name."
    assert not form.learn.isEnabled()


def test_what_the_artist_entered_survives_the_suggestions(
    connected: Any, document: Any, until: Until
) -> None:
    form = open_form(connected, until)
    form.class_noun.setEditText("paladin")

    until(lambda: form.class_noun.count() == 1)

    assert form.class_noun.currentText() == "paladin"
    assert form.class_noun.itemText(0) == "knight"


def noun_hint(form: Any) -> str:
    """Return the hint below the noun as it is read, without its links' tags."""
    return html.unescape(re.sub(r"<.*?>", "", form.noun_hint.text())).strip()


def test_an_everyday_noun_says_what_it_is_learnt_as(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    remote.guesses = []
    form = open_form(connected, until)
    form.name.setText("Hero")
    height = form.noun_hint.height()

    form.class_noun.setEditText("little bunny")
    until(lambda: "quokka" in noun_hint(form))

    learnt_as = "Learnt as “quokka”, the nearest that this model knows. Or choose: rat"
    assert noun_hint(form) == learnt_as
    assert form.noun_hint.height() == height
    assert form.learn.isEnabled()
    form.class_noun.setEditText("gril")
    until(lambda: noun_hint(form).startswith("Taken for “girl”. Learnt as “human woman”"))
    form.noun_hint.linkActivated.emit("elf woman")
    assert form.class_noun.currentText() == "elf woman"
    assert noun_hint(form) == ""


def test_what_is_near_to_nothing_is_offered_general_nouns(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    form = open_form(connected, until)
    form.name.setText("Hero")
    until(lambda: form.class_noun.currentText() == "knight")

    form.class_noun.setEditText("<i>zorbflax")
    until(lambda: not form.learn.isEnabled())

    assert noun_hint(form).startswith("This model has nothing near to it.")
    assert noun_hint(form).endswith(", ".join(GENERAL_NOUNS))
    form.noun_hint.linkActivated.emit("human man")
    assert form.learn.isEnabled()


def test_any_noun_goes_where_the_base_model_knows_every_word(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    remote.family = "sd15"
    form = open_form(connected, until)
    form.name.setText("Hero")
    form.class_noun.setEditText("лиса")

    until(lambda: noun_hint(form) == "Learnt as “fox”, the nearest that this model knows.")

    form.class_noun.setEditText("zorbflax")
    suggestions = connected.controller.learn._session.suggestions
    until(lambda: suggestions._current_match())
    assert noun_hint(form) == ""
    assert form.learn.isEnabled()


def test_no_guess_is_shown_where_there_is_none(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    remote.guesses = []
    form = open_form(connected, until)
    form.name.setText("Hero")

    until(lambda: noun_hint(form) == "Any everyday word, in English or Russian.")

    assert (form.class_noun.currentText(), form.class_noun.count()) == ("", 0)
    assert form.learn.toolTip() == "Say what the layers show."


def test_the_noun_is_completed_to_everyday_words(
    connected: Any, document: Any, until: Until
) -> None:
    form = open_form(connected, until)
    edit = form.class_noun.lineEdit()
    until(lambda: form._known_nouns and form.class_noun.currentText() == "knight")
    edit.clear()

    for letter in "fai":
        press(edit, Qt.Key.Key_A, letter)

    offered = [edit.completer().model().index(row, 0).data() for row in range(4)]
    assert offered[0] == "fairy"
    until(lambda: not form.learn.isEnabled())
    assert noun_hint(form) == "", "more may follow"


def test_an_unknown_subject_is_named_by_the_backends_sentence(
    connected: Any, document: Any, until: Until
) -> None:
    connected.controller.panel.prompt.setText("@nobody running")

    connected.controller.panel.generate.click()

    until(lambda: said(connected) == "There is no subject @nobody.")


def test_an_empty_prompt_gets_a_sentence(connected: Any) -> None:
    connected.controller.panel.prompt.setText("  ")

    connected.controller.panel.generate.click()

    assert said(connected).startswith("Write what to paint")


def test_progress_is_shown_and_can_be_cancelled(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    form = open_form(connected, until)
    form.name.setText("Hero")
    until(lambda: form.class_noun.currentText() == "knight")
    form.learn.click()
    until(lambda: remote.the_request(LearnRequest))
    remote.progress("learn", Progress(phase="learning", step=3, total=10, fraction=0.3, eta_s=130))
    rows = connected.controller.panel.jobs.cards
    until(lambda: rows and "step 3 of 10" in next(iter(rows.values()))._detail.text())

    row = next(iter(rows.values()))
    assert row._title.text() == "Learning Hero"
    assert row._detail.text() == "step 3 of 10 · about 2 min left"
    row._stop.click()
    connected.controller.jobs.question._discard.click()

    until(lambda: not rows)
    assert remote.job_of("learn").state == "cancelled"


def test_a_failed_job_shows_the_backends_sentence(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    connected.controller.panel.prompt.setText("a knight")
    connected.controller.panel.generate.click()
    until(lambda: connected.controller.panel.jobs.cards)

    remote.fail("generate", "The device has not enough memory: choose fewer pictures.")

    until(lambda: said(connected).startswith("The device has not enough memory"))


def test_a_job_that_ran_before_krita_started_is_shown(
    remote: FakeBackend, docker: Any, until: Until
) -> None:
    request = LearnRequest.model_construct(kind="learn", name="Hero")
    remote.submit(request)

    docker.controller.connection.connect_now()

    until(lambda: docker.controller.panel.jobs.cards)


def test_a_second_window_knows_what_the_first_does(
    connected: Any, document: Any, krita: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    generate(connected, remote, until)

    second = krita.factories[-1].kind()

    panel = second.controller.panel
    until(lambda: panel.subjects.items.count() == 1 and len(panel.results.images()) == 2)
    second.deleteLater()


def test_a_restarted_backend_is_noticed(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    remote.subjects.clear()

    remote.restart()

    until(lambda: connected.controller.panel.subjects.items.count() == 0)


def test_a_backend_that_is_down_gets_a_sentence_and_a_button(
    krita: Any, document: Any, backend: FakeBackend, remote: FakeBackend, docker: Any, until: Until
) -> None:
    backend._server.server_close()

    docker.controller.connection.connect_now()

    until(lambda: trouble(docker).startswith(f"No backend answers at {backend.url}"))
    assert not docker.controller.panel.generate.isEnabled()
    assert docker.controller.panel.connection_notice._button.text() == "Try Again"


def test_a_wrong_token_gets_a_sentence(
    krita: Any, remote: FakeBackend, docker: Any, until: Until
) -> None:
    from modelsheet_krita.backend.client import Address
    from modelsheet_krita.backend.location import RemoteBackend

    docker.controller.connection.switch_to(RemoteBackend(Address(remote.url, "another")))

    said = f"What answers at {remote.url} does not know the token."
    until(lambda: trouble(docker).startswith(said))


def test_another_version_gets_a_sentence(remote: FakeBackend, docker: Any, until: Until) -> None:
    remote.api = "2.0"

    docker.controller.connection.connect_now()

    until(lambda: "The backend speaks API 2.0, this plugin API 1. Update both." in trouble(docker))


def test_no_installed_backend_gets_a_sentence(docker: Any, until: Until) -> None:
    docker.controller.connection.connect_now()

    until(lambda: trouble(docker).startswith("No backend is installed on this computer."))


OF_LAYERS = ("modelsheet_learn_subject", "modelsheet_model_sheet", "modelsheet_use_motion")


def test_the_action_opens_the_form_from_the_layer_menu(
    connected: Any, document: Any, krita: Any, until: Until
) -> None:
    slots: list[Any] = []

    class Window:
        def qwindow(self) -> Any:
            return krita.window.main_window

        def createAction(self, identifier: str, text: str, menu: str) -> Any:
            assert (menu == "Layer") == (identifier in OF_LAYERS)
            connect = type("Signal", (), {"connect": staticmethod(slots.append)})
            return type("Action", (), {"triggered": connect, "setText": lambda *_: None})()

    connected.setObjectName("modelsheet_krita")
    connected.setParent(krita.window.main_window)
    krita.extensions[-1].createActions(Window())
    slots[0]()

    assert krita.window.main_window.findChild(QDockWidget, "modelsheet_krita") is connected
    until(lambda: connected.controller.learn.dialog.isVisible())


def test_the_status_says_that_the_backend_goes_on_and_how_to_end_it(
    connected: Any, remote: FakeBackend, until: Until
) -> None:
    status = connected.controller.panel.status
    assert "Stop" not in status.toolTip(), "another computer's, or one that is started by hand"

    remote.idle_minutes = 15.0
    connected._connection.refresh_capabilities()

    until(lambda: "ends 15 min after its last job" in status.toolTip())


def test_a_line_in_the_status_bar_tells_of_the_job_while_another_tab_is_in_front(
    connected: Any, document: Any, krita: Any, remote: FakeBackend, until: Until
) -> None:
    window = krita.window.main_window
    other = QDockWidget("Other")
    for dock in (other, connected):
        window.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
    window.tabifyDockWidget(connected, other)
    window.resize(800, 600)
    window.show()
    other.raise_()
    until(lambda: other.isVisible() and connected._status_line._is_seen is False)

    connected.controller.panel.prompt.setText("a knight")
    connected.controller.panel.generate.click()
    until(lambda: connected._status_line.button is not None)
    line = connected._status_line.button
    until(line.isVisible)
    assert line.text() == "Modelsheet: Painting a knight · waiting"
    remote.generate_done(GREEN)
    until(lambda: len(connected.controller.panel.results.images()) > 0)
    until(lambda: line.text().startswith("Modelsheet: New pictures: "))
    line.click()

    until(lambda: not line.isVisible())
    connected.setParent(None)


def test_cancelling_what_is_learnt_asks_and_can_be_answered_with_no(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    card = start(connected, remote, until)
    remote.progress("learn", Progress(phase="learning", step=3, total=10, fraction=0.3))
    until(lambda: card.row.can_finish)

    connected.controller.jobs.stop_first()
    question = connected.controller.jobs.question
    assert question.isVisible()
    assert {button.text() for button in question.buttons()} == {
        "Keep the Best So Far",
        "Discard What Is Learnt",
        "Go On Learning",
    }
    assert question.defaultButton() is question.escapeButton(), "Enter and Escape lose nothing"
    question.escapeButton().click()

    assert not question.isVisible()
    assert remote.verbs == []
    assert card._stop.isEnabled()


def test_what_has_learnt_nothing_yet_cannot_keep_the_best(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    start(connected, remote, until)._stop.click()

    assert connected.controller.jobs.question._finish is None


def test_painting_is_cancelled_at_once(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    panel = connected.controller.panel
    panel.prompt.setText("a knight")
    panel.generate.click()
    until(lambda: panel.jobs.cards)

    next(iter(panel.jobs.cards.values()))._stop.click()

    until(lambda: not panel.jobs.cards)
    assert connected.controller.jobs.question is None


def test_exploring_tells_its_time(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    explore = connected.controller.explore
    explore.open()
    assert "known after your first pictures" in explore.dialog.hint.text()

    generate(connected, remote, until, count=2)
    (job,) = [one for one in remote.jobs.values() if one.kind == "generate"]
    remote.publish(job.model_copy(update={"started": 100.0, "finished": 112.0}))
    until(lambda: connected.controller.jobs.seconds_per_image() == 6.0)
    explore.open()

    assert explore.dialog.hint.text() == "5 × 4 pictures: about 2 minutes."


def test_preparing_is_an_empty_bar_and_not_a_full_one(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    card = start(connected, remote, until)

    remote.progress("learn", Progress(phase="preparing the pictures"))

    until(lambda: card._detail.text() == "preparing the pictures")
    assert (card._bar.minimum(), card._bar.maximum(), card._bar.value()) == (0, 1000, 0)


def test_hints_do_not_move_the_form(connected: Any, document: Any, until: Until) -> None:
    form = open_form(connected, until)
    fields = (form.name, form.class_noun, form.preset, form.learn)
    until(lambda: form.class_noun.currentText() == "knight")
    places = [[field.geometry().top() for field in fields]]

    for name, noun in (
        ("Hero", ""),
        ("x" * 200, "grey knights"),
        ("", "human knave"),
        ("a", "fox"),
    ):
        form.name.setText(name)
        form.class_noun.setEditText(noun)
        for _ in range(5):
            QApplication.processEvents()
        places.append([field.geometry().top() for field in fields])

    assert places.count(places[0]) == len(places)
