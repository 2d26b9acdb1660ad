"""Results in the docker: grouped, kept, compared, repeated, varied, and applied in two ways."""

from __future__ import annotations

import json
from typing import Any

from modelsheet.api.generate import GenerateRequest
from tests.plugin import fake_krita
from tests.plugin.binding import QApplication, QRect, Qt
from tests.plugin.conftest import Until
from tests.plugin.drive import (
    GREEN,
    apply,
    generate,
    is_applying,
    learn_hero,
    newest_request,
    press,
    said,
)
from tests.plugin.fake_backend import FakeBackend


def choose(docker: Any, *places: int) -> list[Any]:
    results = docker.controller.panel.results
    results.clearSelection()
    for place in places:
        results.images()[place].setSelected(True)
    return results.chosen()


def act(docker: Any, what: str, *places: int) -> None:
    docker.controller.panel.result_wanted.emit(what, choose(docker, *places))


def test_each_prompt_has_a_headline(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    generate(connected, remote, until, count=1)

    results = connected.controller.panel.results
    rows = [results.item(row) for row in range(results.count())]

    assert [bool(row.text()) for row in rows] == [True, False, True, False, False]
    assert rows[0].text().endswith("  @hero holding sword")


def test_results_of_an_earlier_krita_are_shown_again(
    remote: FakeBackend, docker: Any, until: Until
) -> None:
    remote.submit(GenerateRequest(prompt="a knight", count=3))
    remote.generate_done(GREEN)

    docker.controller.connection.connect_now()

    until(lambda: len(docker.controller.panel.results.images()) == 3)
    assert docker.controller.panel.results.item(0).text().endswith("  a knight")


def test_what_was_removed_stays_away(
    connected: Any, document: Any, krita: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    job = remote.job_of("generate").id

    act(connected, "discard", 0, 1)

    assert connected.controller.panel.results.count() == 0
    kept = json.loads(krita.settings["modelsheet", "discarded"])
    assert [name.split("-")[0] for name in kept] == [job[:8]] * 2


def test_again_sends_the_recipe_with_another_seed(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)

    act(connected, "again", 0)

    request = newest_request(remote, until)
    assert (request.prompt, request.count) == ("@hero holding sword", 2)
    assert request.seed != 7


def test_vary_keeps_the_seed_and_moves_its_noise(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)

    act(connected, "vary", 1)

    request = newest_request(remote, until)
    assert (request.seed, request.count) == (8, 4)
    assert request.variation_strength > 0


def test_a_result_can_be_what_the_next_ones_start_from(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=1)
    act(connected, "reference", 0)
    connected.controller.panel.box.advanced.strength.setValue(35)

    connected.controller.panel.generate.click()

    request = newest_request(remote, until)
    assert (request.init_image.width, request.init_image.height, request.strength) == (8, 8, 0.35)
    assert remote.blobs[request.init_image.blob] == GREEN * 64


def test_what_is_started_from_is_named_and_stays_until_another_is_chosen(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    advanced = connected.controller.panel.box.advanced
    hint = advanced.source.toolTip
    generate(connected, remote, until)  # the seeds 7 and 8
    act(connected, "reference", 1)
    assert hint().startswith("Changes “@hero holding sword”, seed 8")

    choose(connected, 0)
    connected.controller.panel.generate.click()
    newest_request(remote, until)
    assert "seed 8" in hint()

    advanced.source.activated.emit(advanced.source.currentIndex())
    assert "seed 7" in hint()
    choose(connected)
    advanced.source.activated.emit(advanced.source.currentIndex())
    assert hint() == "Changes the result that is selected below."


def test_a_seed_that_the_artist_types_is_no_changed_default(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    box = connected.controller.panel.box
    generate(connected, remote, until)  # with a seed that was typed
    assert box.changes.isHidden()

    act(connected, "prompt", 1)
    assert box.changes_text.text() == "Not the defaults: seed 8"

    box.seed.setValue(9)
    assert box.changes.isHidden()
    act(connected, "prompt", 1)
    box.random.click()
    assert box.changes.isHidden()


def test_painting_over_the_selection_sends_canvas_and_mask(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(12, 24, 10, 6)))
    advanced = connected.controller.panel.box.advanced
    advanced.source.setCurrentIndex(advanced.source.findData("canvas"))
    connected.controller.panel.prompt.setText("a knight")

    connected.controller.panel.generate.click()

    request = newest_request(remote, until)
    width, height = document.width(), document.height()
    assert (request.init_image.width, request.init_image.height) == (width, height)
    pixels, mask = (remote.blobs[each.blob] for each in (request.init_image, request.mask))
    inside = [y * width + x for y in range(24, 30) for x in range(12, 22)]
    assert [index for index, value in enumerate(mask) if value] == inside
    assert all(pixels[4 * index : 4 * index + 4] == b"\x10\x20\x30\xff" for index in inside)
    assert request.patch
    assert request.trim


def test_without_background_means_the_same_in_a_selection(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(12, 24, 10, 6)))
    advanced = connected.controller.panel.box.advanced
    advanced.source.setCurrentIndex(advanced.source.findData("canvas"))
    connected.controller.panel.prompt.setText("a knight")
    connected.controller.panel.box.cut_out.setChecked(True)

    connected.controller.panel.generate.click()

    assert newest_request(remote, until).transparent


def test_the_active_layer_is_sent_alone_and_at_its_opacity(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    layer = document.add("figure", area=QRect(4, 4, 8, 8), bgra=b"\x01\x02\x03\xff")
    layer.shown_opacity = 128
    advanced = connected.controller.panel.box.advanced
    advanced.source.setCurrentIndex(advanced.source.findData("layer"))
    connected.controller.panel.prompt.setText("a knight")

    connected.controller.panel.generate.click()

    request = newest_request(remote, until)
    pixels = remote.blobs[request.init_image.blob]
    seen = {pixels[index : index + 4] for index in range(0, len(pixels), 4)}
    assert {each for each in seen if each[3]} == {b"\x01\x02\x03\x80"}
    assert request.mask is None


def test_an_empty_active_layer_or_no_result_is_said(
    connected: Any, document: fake_krita.Document
) -> None:
    document.add("empty")
    panel = connected.controller.panel
    panel.prompt.setText("a knight")
    for source, sentence in (("layer", "is empty"), ("picture", "Select the result")):
        panel.box.advanced.source.setCurrentIndex(panel.box.advanced.source.findData(source))

        panel.generate.click()

        assert sentence in panel.notice.text.text()


def test_what_was_painted_over_an_area_fills_it_again(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    document.setSelection(fake_krita.Selection(QRect(12, 24, 16, 20)))
    advanced = connected.controller.panel.box.advanced
    advanced.source.setCurrentIndex(advanced.source.findData("canvas"))
    generate(connected, remote, until, count=1)

    apply(connected, until)

    layer = document.rootNode().childNodes()[-1]
    assert layer.bounds().getRect() == (12, 24, 16, 20)


def test_the_size_can_be_the_canvas(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    advanced = connected.controller.panel.box.advanced
    advanced.image_size.setCurrentIndex(advanced.image_size.findData("canvas"))
    connected.controller.panel.prompt.setText("a knight")

    connected.controller.panel.generate.click()

    request = newest_request(remote, until)
    assert (request.width, request.height) == (256, 256)


def test_several_become_a_sheet_on_one_layer(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=4)

    connected.controller.panel.apply_wanted.emit(choose(connected, 0, 1, 2, 3), "sheet")
    until(lambda: not is_applying(connected))

    layer = document.rootNode().childNodes()[-1]
    assert layer.bounds().getRect() == (120, 120, 16, 16)
    assert bytes(layer.pixelData(120, 120, 16, 16)) == GREEN * 256
    assert len(document.undo_steps) == 1


def test_several_become_the_frames_of_one_layer(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    remote: FakeBackend,
    until: Until,
) -> None:
    document.setSelection(fake_krita.Selection(QRect(100, 50, 20, 10)))
    generate(connected, remote, until, count=3)

    connected.controller.panel.apply_wanted.emit(choose(connected, 0, 1, 2), "frames")
    until(lambda: not is_applying(connected))

    layer = document.rootNode().childNodes()[-1]
    assert (layer.type(), layer.name()) == ("paintlayer", "@hero holding sword (seed 7)")
    assert [layer.hasKeyframeAtTime(time) for time in range(4)] == [True] * 3 + [False]
    for time in range(3):
        assert bytes(layer.pixelDataAtTime(106, 51, 8, 8, time)) == GREEN * 64
        around = bytes(layer.pixelDataAtTime(105, 50, 10, 10, time))
        assert around.count(GREEN) == 64
    assert not krita.batchmode()
    assert krita.open_documents == [document]
    assert len(document.undo_steps) == 1
    assert document.activeNode() is layer


def test_pointing_at_another_result_compares_the_two(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    panel = connected.controller.panel
    keys = choose(connected, 0, 1)
    choose(connected, 0)

    panel.results.pointed_at.emit(keys[1])

    assert [words.text() for words in panel.popup.captions] == ["seed 7 · 8 × 8", "seed 8 · 8 × 8"]
    assert not panel.popup.isHidden()
    assert not document.modified()
    panel.results.pointed_at.emit(None)
    assert panel.popup.isHidden()


def test_the_large_picture_goes_when_the_mouse_was_taken_away_without_a_word(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until)
    panel = connected.controller.panel

    panel.results.itemEntered.emit(panel.results.images()[0])
    assert not panel.popup.isHidden()

    until(lambda: panel.popup.isHidden())


def test_next_and_previous_walk_through_the_results(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=3)
    results = connected.controller.panel.results
    keys = results.chosen()
    choose(connected, 0)

    results.step(1)
    assert results.chosen() == [keys[1]]
    results.step(-1)
    results.step(-1)
    assert results.chosen() == [keys[2]]


def test_a_document_remembers_its_subjects(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    generate(connected, remote, until)
    assert document.annotations == {}

    apply(connected, until)

    noted = json.loads(document.annotations["modelsheet/subjects"])["subjects"]
    assert [(one["name"], one["class_noun"]) for one in noted] == [("Hero", "knight")]


def test_a_grid_is_painted_and_a_cell_sets_the_scales(
    connected: Any, document: Any, remote: FakeBackend, until: Until
) -> None:
    connected.controller.panel.prompt.setText("@hero")
    connected.controller.panel.box.explore.click()
    explore = connected.controller.explore
    explore.dialog.across_values.setText("0, 0.5, 1")
    explore.dialog.down_values.setText("1, 2")
    explore.dialog.paint.click()
    request = newest_request(remote, until)
    remote.generate_done(GREEN)
    until(lambda: explore.grid is not None)

    chosen = connected.controller.panel.results.chosen
    assert len(chosen()) == 1, "Apply would put the whole grid into the document"
    (first,) = chosen()

    explore.grid.table.cellClicked.emit(1, 1)

    assert chosen() == [first + 4]
    assert (request.count, request.explore.across.values, request.explore.down.values) == (
        1,
        [0, 0.5, 1],
        [1, 2],
    )
    settings = connected.controller.panel.box.advanced.settings()
    assert (settings.unet_scale, settings.text_encoder_scale) == (0.5, 2.0)
    box = connected.controller.panel.box
    assert box.advanced.expert.inside.isVisibleTo(box), "what has changed is shown"
    assert "Character strength 0.5 · Name strength 2 · seed" in explore.grid.hint.text()
    assert box.changes_text.text().startswith("Not the defaults: Character strength 0.5")
    box.reset.click()
    assert box.changes.isHidden()
    settings = box.advanced.settings()
    assert (settings.unet_scale, settings.text_encoder_scale) == (1.0, 1.0)
    assert box.random.isChecked()


def test_what_is_no_grid_cannot_be_painted(connected: Any) -> None:
    connected.controller.panel.box.explore.click()
    form = connected.controller.explore.dialog

    for across, down in (("a", "1"), ("", "1"), (", ".join("1" * 16), ", ".join("12345"))):
        form.across_values.setText(across)
        form.down_values.setText(down)
        assert not form.paint.isEnabled()

    form.across_values.setText("1")
    form.down.setCurrentIndex(form.down.findData("unet_scale"))
    assert not form.paint.isEnabled()


def test_the_menu_s_actions_need_a_selection(connected: Any) -> None:
    connected.controller.panel.result_wanted.emit("again", [])

    assert said(connected) == "Select the pictures first."


def test_keys_walk_remove_and_apply(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    generate(connected, remote, until, count=3)
    results = connected.controller.panel.results
    keys = results.chosen()
    choose(connected, 0)

    press(results, Qt.Key.Key_Right)
    assert results.chosen() == [keys[1]]
    press(results, Qt.Key.Key_Return)
    until(lambda: len(document.undo_steps) == 1)
    press(results, Qt.Key.Key_Delete)
    assert len(results.images()) == 2


def test_the_wheel_scrolls_and_turns_no_number_by_chance(connected: Any) -> None:
    from modelsheet_krita.qt import QtCore, QtGui

    count = connected.controller.panel.box.count
    before, origin = count.value(), QtCore.QPointF(2, 2)
    turn = QtGui.QWheelEvent(
        origin,
        origin,
        QtCore.QPoint(0, 120),
        QtCore.QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )

    QApplication.sendEvent(count, turn)

    assert count.value() == before
