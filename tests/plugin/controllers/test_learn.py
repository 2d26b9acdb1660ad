"""Learning from groups, frames and selections; captions, warnings, and what a running job shows."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import Progress
from modelsheet.api.learn import Estimate, LearnRequest, LikenessPoint
from modelsheet.api.models import BaseModelView
from modelsheet.api.types import ImageRef
from tests.plugin import fake_krita
from tests.plugin.binding import QApplication, QEvent, QRect, Qt
from tests.plugin.conftest import Until
from tests.plugin.drive import captions, learn_hero, open_form, press, said, start
from tests.plugin.fake_backend import FakeBackend

BLUE = b"\xff\x00\x00\xff"


def group_of_two(document: fake_krita.Document, krita: Any) -> None:
    group = document.add("outfit", "grouplayer")
    document.add("coat", area=QRect(0, 0, 20, 20), parent=group)
    document.add("hat", area=QRect(0, 0, 20, 20), bgra=BLUE, parent=group)
    krita.window.view.selected = [group]


def remarks(form: Any) -> list[str]:
    return [form.images.topLevelItem(row).text(1) for row in range(form.images.count())]


def test_a_group_is_one_picture_or_each_layer_in_it(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    group_of_two(document, krita)
    form = open_form(connected, until)
    assert (captions(form), form.groups.isHidden()) == (["outfit"], False)

    form.groups.setCurrentIndex(1)
    form.groups.activated.emit(1)

    until(lambda: captions(form) == ["hat", "coat"])


def test_enter_goes_on_to_the_next_field_and_learns_on_the_button_alone(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    form = open_form(connected, until)
    form.activateWindow()
    assert form.focusWidget() is form.name
    form.name.setText("Hero")
    form.class_noun.setEditText("human man")
    until(form.learn.isEnabled)

    press(form, Qt.Key.Key_Return)
    assert form.focusWidget() in (form.class_noun, form.class_noun.lineEdit())
    press(form, Qt.Key.Key_Return)
    assert form.focusWidget() is form.learn
    assert form.isVisible()

    press(form.learn, Qt.Key.Key_Return)
    until(lambda: not form.isVisible())


def test_the_way_to_read_is_asked_only_where_it_matters(
    connected: Any, document: Any, until: Until
) -> None:
    form = open_form(connected, until)

    assert [way.isHidden() for way in (form.groups, form.frames, form.inside)] == [True] * 3


def test_each_key_frame_is_a_picture_on_one_common_ground(
    connected: Any, document: fake_krita.Document, krita: Any, remote: FakeBackend, until: Until
) -> None:
    layer = document.add("walk", area=QRect(0, 0, 20, 20))
    layer.frames = {
        0: (QRect(10, 10, 20, 30), BLUE * 600),
        5: (QRect(40, 10, 20, 30), BLUE * 600),
    }
    document.last_time = 9
    krita.window.view.selected = [layer]

    form = open_form(connected, until)

    assert captions(form) == ["walk, frame 0", "walk, frame 5"]
    sizes = {(one.width, one.height) for one in connected.controller.learn.images.all}
    assert sizes == {(50, 30)}
    assert not form.frames.isHidden()
    form.frames.click()
    until(lambda: captions(form) == ["walk"])


def test_only_what_is_selected_on_the_canvas_is_learnt(
    connected: Any, document: fake_krita.Document, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(12, 22, 10, 9)))

    form = open_form(connected, until)

    def sizes() -> list[tuple[int, int]]:
        return [(one.width, one.height) for one in connected.controller.learn.images.all]

    assert sizes() == [(10, 9)]
    form.inside.click()
    until(lambda: sizes() == [(16, 24)])


def test_captions_are_the_artists_and_unticked_pictures_stay_out(
    connected: Any, document: fake_krita.Document, krita: Any, remote: FakeBackend, until: Until
) -> None:
    krita.window.view.selected.append(document.add("side", area=QRect(99, 9, 16, 24), bgra=BLUE))
    form = open_form(connected, until)
    form.name.setText("Hero")
    until(lambda: form.class_noun.currentText() == "knight")
    form.images.topLevelItem(0).setText(0, "seen from the side")
    form.images.topLevelItem(1).setCheckState(0, Qt.CheckState.Unchecked)

    form.learn.click()

    until(lambda: remote.the_request(LearnRequest))
    request = remote.the_request(LearnRequest)
    assert request.captions == ["seen from the side"]
    assert len(request.images) == 1


def test_with_no_picture_ticked_there_is_nothing_to_send(
    connected: Any, document: Any, until: Until
) -> None:
    form = open_form(connected, until)
    form.name.setText("Hero")
    form.class_noun.setEditText("knight")
    assert form.learn.isEnabled()

    form.images.topLevelItem(0).setCheckState(0, Qt.CheckState.Unchecked)

    assert not form.learn.isEnabled()


@pytest.mark.parametrize(
    ("area", "warning"),
    [
        (QRect(0, 0, 9, 9), "Small: there is little to see"),
        (QRect(240, 0, 99, 99), "What lies outside the canvas"),
        (QRect(0, 0, 99, 99), "No transparency: the background"),
    ],
)
def test_pictures_are_warned_of(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    until: Until,
    area: QRect,
    warning: str,
) -> None:
    krita.window.view.selected = [document.add("it", area=area)]

    form = open_form(connected, until)

    assert warning in remarks(form)[0]


ENABLED = '<node key="enab" value="{}" type="Boolean"/>'


@pytest.mark.parametrize(
    ("attribute", "value", "warning"),
    [
        ("style", ENABLED.format(1), "Its layer style"),
        ("style", ENABLED.format(0), ""),
        ("style", '<node value="0" key="masterFXSwitch"/>' + ENABLED.format(1), ""),
        ("mode", "multiply", "Its blending mode is left out."),
        ("inherits_alpha", True, "It inherits alpha"),
    ],
)
def test_what_only_the_canvas_shows_is_named(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    until: Until,
    attribute: str,
    value: object,
    warning: str,
) -> None:
    layer = document.add("it", area=QRect(20, 20, 40, 40))
    setattr(layer, attribute, value)
    krita.window.view.selected = [layer]

    found = remarks(open_form(connected, until))[0]

    assert warning in found
    assert bool(warning) == ("left out" in found or "inherits" in found)


def test_hidden_and_doubled_pictures_are_warned_of(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    twin = document.add("twin", area=QRect(100, 20, 16, 24))
    twin.setVisible(False)
    krita.window.view.selected.append(twin)

    found = remarks(open_form(connected, until))

    assert "It is hidden" in found[0]
    assert "Nearly the same as “twin”." in found[1]


def test_learning_shows_its_curve_and_can_be_paused_resumed_and_finished(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    card = start(connected, remote, until)
    curve = [
        LikenessPoint(
            step=s,
            subject_fidelity=0.9,
            prompt_fidelity=0.3,
            prior_drift=0.1,
            score=0.9,
            likeness=f,
        )
        for s, f in ((3, 0.4), (6, 0.6))
    ]
    remote.progress("learn", Progress(phase="learning", step=6, total=10, curve=curve))
    until(lambda: not card.curve.isHidden())
    assert card.curve.toolTip().endswith("60%")

    assert card.likeness.text() == " 60%"
    connected.resize(300, 1200)
    connected.show()
    until(lambda: card.isVisible())

    place = card._pause.geometry()
    card._pause.click()
    until(lambda: "paused" in card._detail.text())
    QApplication.processEvents()
    assert card._pause.geometry() == place, "the buttons do not move under the mouse"
    card._pause.click()
    until(lambda: "waiting" in card._detail.text())
    remote.progress("learn", Progress(phase="learning", step=7, total=10))
    until(lambda: card.row.can_finish)
    card._stop.click()
    connected.controller.jobs.question._finish.click()
    until(lambda: "finish" in remote.verbs)

    assert remote.verbs == ["pause", "resume", "finish"]


def test_probes_are_shown_on_the_card(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    from modelsheet.api.generate_result import GeneratedImage

    card = start(connected, remote, until)
    blob = next(iter(remote.blobs))
    preview = GeneratedImage(blob=blob, width=16, height=24, seed=0, prompt="a knight")

    remote.progress("learn", Progress(step=3, total=10, previews=[preview]))

    until(lambda: card.previews.count() == 1)
    assert not card.previews.isHidden()


def test_a_subject_learnt_again_takes_the_place_of_the_old_one(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    old = remote.subjects[0].id
    for job_id in list(remote.jobs):
        del remote.jobs[job_id]
    remote.requests.clear()
    connected.controller.panel.subjects.relearn_wanted.emit(old)
    until(lambda: connected.controller.learn.dialog.isVisible())
    form = connected.controller.learn.dialog
    assert captions(form) == ["front", "front"]

    form.learn.click()
    until(lambda: remote.the_request(LearnRequest))
    remote.learn_done()

    until(lambda: old not in [one.id for one in [*remote.subjects]])
    until(lambda: connected.controller.panel.subjects.items.count() == 1)


GB = 1_000_000_000
COSTS = {
    "nothing known": (
        Estimate(training_steps=1),
        "How long it takes is said once it has begun. You can paint meanwhile.",
    ),
    "measured elsewhere": (
        Estimate(training_steps=1, seconds=78.0, memory_bytes=GB, free_bytes=3 * GB),
        "At most about 80 seconds on one processor core. It takes 1.0 GB of memory; 3.0 GB are "
        "free. You can paint meanwhile.",
    ),
    "seen here": (
        Estimate(training_steps=1, seconds=7300.0, seen_here=True),
        "At most about 2 hours, judging by the last time. You can paint meanwhile.",
    ),
    "too little memory": (
        Estimate(training_steps=1, seconds=300.0, memory_bytes=13 * GB, free_bytes=8 * GB),
        "At most about 5 minutes on one processor core. It takes 13.0 GB of memory; 8.0 GB are "
        "free. Close other programs first, or learn on a graphics card: it needs less. You can "
        "paint meanwhile.",
    ),
}


@pytest.mark.parametrize(("estimate", "sentence"), COSTS.values(), ids=COSTS)
def test_what_it_takes_is_said_before_it_starts(
    connected: Any,
    document: Any,
    remote: FakeBackend,
    until: Until,
    estimate: Estimate,
    sentence: str,
) -> None:
    remote.estimates = {"balanced": estimate}

    form = open_form(connected, until)

    until(lambda: form.estimate.text() == sentence)


def test_presets_for_comparison_are_not_offered(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    form = open_form(connected, until)

    offered = [form.preset.itemData(row) for row in range(form.preset.count())]
    assert offered == ["quick", "balanced", "thorough"], "neither write-up nor its name of API 1.0"


def test_another_quality_takes_another_time(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    remote.estimates["quick"] = Estimate(training_steps=60, seconds=1200.0)
    form = open_form(connected, until)

    form.preset.setCurrentIndex(form.preset.findData("quick"))

    until(lambda: form.estimate.text().startswith("At most about 20 minutes"))


def test_references_and_report_are_shown(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)

    connected.controller.panel.subjects.report_wanted.emit(remote.subjects[0].id)

    until(lambda: connected.controller.subjects.report is not None)
    view = connected.controller.subjects.report
    assert (view.windowTitle(), view.images.count()) == ("Hero", 1)
    assert "knight" in view.facts.text()
    assert "50%" in view.facts.text()


def test_a_subject_goes_to_the_trash_only_after_a_second_thought(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    panel, subject = connected.controller.panel, remote.subjects[0].id
    panel.subjects.discard_wanted.emit(subject)
    assert panel.subjects.items.count() == 0
    assert said(connected) == "@hero goes to the trash."

    panel.notice._button.click()
    connected.controller.subjects._on_timeout(subject)
    assert panel.subjects.items.count() == 1

    panel.subjects.discard_wanted.emit(subject)
    connected.controller.subjects._on_timeout(subject)
    until(lambda: any(seen["path"].endswith(subject) for seen in remote.headers_seen))


def test_a_document_says_which_subject_it_misses(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    noted = {"subjects": [{"id": "1", "name": "Old Friend", "class_noun": "fox"}]}
    document.annotations["modelsheet/subjects"] = json.dumps(noted).encode()

    connected.canvasChanged(None)

    until(lambda: said(connected).startswith("This document paints with @old_friend,"))


def test_a_damaged_note_in_a_document_does_no_harm(
    connected: Any, document: fake_krita.Document
) -> None:
    from modelsheet_krita.document.document import OpenDocument

    for damaged in (b"", b"{", b"[]", b'{"subjects": [{"id": 1}]}'):
        document.annotations["modelsheet/subjects"] = damaged

        assert OpenDocument(document, None).noted_subjects() == []


def describing(remote: FakeBackend) -> list[str]:
    return [j.id for j in [*remote.jobs.values()] if j.kind == "describe" and not j.finished]


@pytest.mark.parametrize("leave", ["cancel", "window", "again", "krita", "docker"])
def test_looking_at_the_layers_ends_with_the_form(
    connected: Any, document: Any, remote: FakeBackend, until: Until, leave: str
) -> None:
    remote.describes_at_once = False
    form = open_form(connected, until)
    until(lambda: describing(remote))
    [first] = describing(remote)

    if leave == "cancel":
        form.reject()
    elif leave == "window":
        form.close()
    elif leave == "again":
        form.hide()
        connected.controller.learn.open()
    elif leave == "krita":
        connected._connection.close()
    else:
        sip_delete(form)

    until(lambda: remote.jobs[first].state == "cancelled")
    if leave == "again":
        until(lambda: describing(remote) and describing(remote) != [first])


def sip_delete(widget: Any) -> None:
    """As with the window that it belongs to."""
    widget.deleteLater()
    QApplication.sendPostedEvents(widget, QEvent.Type.DeferredDelete)


def test_a_form_that_is_closed_before_its_job_is_known_cancels_it_too(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    remote.describes_at_once = False
    connected.controller.learn.open()
    learn = connected.controller.learn
    until(lambda: learn._session is not None and learn._session.suggestions._is_waiting)

    learn.dialog.close()

    until(lambda: remote.jobs and not describing(remote))
    assert remote.verbs == ["cancel"]


def test_describing_is_shown_while_others_wait_for_it_and_only_then(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    remote.describes_at_once = False
    panel = connected.controller.panel
    open_form(connected, until)
    until(lambda: describing(remote))
    describe = remote.job_of("describe")
    remote.publish(describe.model_copy(update={"state": "running"}))
    panel.prompt.setText("a hill")
    assert not panel.jobs.cards

    panel.generate.click()

    until(lambda: len(panel.jobs.cards) == 2)
    assert panel.jobs.cards[describe.id].row.title == "Looking at layers"
    remote.finish(describe.id, state="cancelled")
    until(lambda: len(panel.jobs.cards) == 1)


KLEIN = BaseModelView(
    id="klein", family="flux2-klein", resolution=1024, available=True, takes_references=True
)


@pytest.fixture
def klein(remote: FakeBackend) -> None:
    """A second base model, which takes references; the first says why it does not."""
    note = "sprite32 takes no reference pictures."
    remote.base_models = [
        remote.base_models[0].model_copy(update={"references_note": note}),
        KLEIN,
    ]


def test_a_subject_is_tried_before_it_is_learnt(
    klein: None, connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    form = open_form(connected, until)
    form.name.setText("Hero")
    until(form.learn.isEnabled)
    assert not form.try_now.isEnabled()
    assert form.try_now.toolTip() == "sprite32 takes no reference pictures."
    form.choose_base_model("klein")
    until(form.try_now.isEnabled)

    form.try_now.click()
    until(lambda: remote.the_request(GenerateRequest))

    assert remote.the_request(GenerateRequest).prompt == "@hero"
    assert connected.controller.panel.prompt.text().strip() == "@hero"
    assert form.isVisible()
    subjects = connected.controller.panel.subjects
    until(lambda: subjects.items.count() == 1)
    assert "not learnt yet · klein" in subjects.items.item(0).text()
    remote.generate_done()
    until(form.learn.isEnabled)
    form.learn.click()
    until(lambda: remote.the_request(LearnRequest))


def test_a_subject_that_was_tried_is_learnt_from_the_list_without_its_document(
    klein: None, connected: Any, krita: Any, remote: FakeBackend, until: Until
) -> None:
    blob = hashlib.sha256(BLUE).hexdigest()
    remote.blobs[blob] = BLUE
    request = LearnRequest(
        name="Hero",
        class_noun="knight",
        base_model="klein",
        images=[ImageRef(blob=blob, width=1, height=1, name="Layer 1")],
        captions=["seen from behind"],
    )
    subject = remote.add_unlearnt(request)
    subjects = connected.controller.panel.subjects
    until(lambda: subjects.items.count() == 1)
    krita.document = None
    texts = [each.text() for each in subjects.menu_of(*subjects.items.item(0).data(256)).actions()]
    assert "Learn…" in texts

    connected.controller.import_export._panel.subjects.export_wanted.emit(subject.id)
    until(lambda: "not learnt yet" in said(connected))
    subjects.relearn_wanted.emit(subject.id)
    until(lambda: connected.controller.learn._session is not None)
    form = connected.controller.learn.dialog
    until(form.isVisible)

    assert captions(form) == ["seen from behind"]
    assert (form.name.text(), form.base_model.currentData()) == ("Hero", "klein")
    until(form.learn.isEnabled)
    form.learn.click()
    until(lambda: remote.the_request(LearnRequest))
    assert remote.the_request(LearnRequest).captions == ["seen from behind"]
