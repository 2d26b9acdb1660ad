"""Pictures that are larger than the model learns: what the form says, shows and offers."""

from __future__ import annotations

from typing import Any

from modelsheet.api.describe_images import DescribeRequest
from modelsheet.api.learn import LearnRequest
from modelsheet.api.models import BaseModelView, DownloadRequest, DownloadResult, ModelView
from tests.plugin import fake_krita
from tests.plugin.binding import QRect, Qt
from tests.plugin.conftest import Until
from tests.plugin.drive import open_form
from tests.plugin.fake_backend import MODEL, FakeBackend

SD15 = BaseModelView(id="sd15", family="sd15", resolution=512, available=False, note="get it")
LISTED = ModelView(
    id="sd15",
    kind="base",
    family="sd15",
    state="missing",
    size_bytes=2_140_000_000,
    licence="CreativeML Open RAIL-M",
)


def open_large(connected: Any, document: fake_krita.Document, krita: Any, until: Until) -> Any:
    """Open the form for a layer of 64 × 60 px."""
    krita.window.view.selected = [document.add("frog", area=QRect(8, 4, 64, 60))]
    return open_form(connected, until)


def prepared_requests(remote: FakeBackend) -> list[DescribeRequest]:
    described = [one for one in remote.requests.values() if isinstance(one, DescribeRequest)]
    return [one for one in described if one.prepared]


def test_the_model_and_what_it_paints_stand_in_form_and_docker(
    connected: Any, document: Any, until: Until
) -> None:
    form = open_form(connected, until)

    assert form.base_model.currentText() == "Sprites, 32 × 32"
    assert not form.base_model.isHidden()
    assert connected.controller.panel.status.text() == "Ready: Sprites, 32 × 32"
    assert form.size_choice.isHidden()  # 16 × 24 px fit
    assert form.learn.text() == "Learn"


def test_a_large_picture_is_said_and_shown_as_the_model_sees_it(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    remote: FakeBackend,
    until: Until,
) -> None:
    form = open_large(connected, document, krita, until)

    assert "up to 64 × 60 pixels" in form.size_choice.text.text()
    assert "32 × 32" in form.size_choice.text.text()
    until(lambda: form.size_choice.previews)
    shown = form.size_choice.previews[0].pixmap().toImage()
    assert shown.width() % 32 == 0  # pixels of one size
    assert shown.pixelColor(3, 3).getRgb()[:3] == (0, 255, 0)
    assert form.size_choice.waiting.isHidden()
    assert form.learn.text() == "Learn as a Sprite"
    form.name.setText("Frog")
    until(lambda: form.class_noun.currentText() == "knight")

    form.learn.click()

    until(lambda: remote.the_request(LearnRequest))
    assert remote.the_request(LearnRequest).base_model == "sprite32"


def test_enlarged_pixel_art_loses_nothing(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    remote: FakeBackend,
    until: Until,
) -> None:
    remote.drawn_pixels = 2

    form = open_large(connected, document, krita, until)

    until(form.size_choice.isHidden)
    assert form.learn.text() == "Learn"


def test_unticked_pictures_do_not_count(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    remote: FakeBackend,
    until: Until,
) -> None:
    small = document.add("front", area=QRect(8, 80, 20, 24))
    large = document.add("frog", area=QRect(8, 4, 64, 60))
    krita.window.view.selected = [small, large]
    form = open_form(connected, until)
    until(lambda: len(form.size_choice.previews) == 2)
    row = next(
        row for row, image in enumerate(connected.controller.learn.images.all) if image.width == 64
    )

    form.images.topLevelItem(row).setCheckState(0, Qt.CheckState.Unchecked)
    assert form.size_choice.isHidden()
    form.images.topLevelItem(row).setCheckState(0, Qt.CheckState.Checked)

    assert not form.size_choice.isHidden()
    assert len(form.size_choice.previews) == 2  # still those of the same pictures
    assert len(prepared_requests(remote)) == 1
    other = form.images.topLevelItem(1 - row)
    other.setCheckState(0, Qt.CheckState.Unchecked)
    other.setCheckState(0, Qt.CheckState.Checked)  # before anything was asked
    until(lambda: len(form.size_choice.previews) == 2)


def test_a_larger_model_is_offered_downloaded_and_taken(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    remote: FakeBackend,
    until: Until,
) -> None:
    remote.base_models, remote.models = [MODEL, SD15], [LISTED]
    connected.controller.connection.refresh_capabilities()
    until(lambda: len(connected.controller.connection.state.capabilities.base_models) == 2)
    form = open_large(connected, document, krita, until)
    until(lambda: form.size_choice.buttons)
    offer = form.size_choice.findChildren(type(form.size_choice.text))
    said = " ".join(label.text() for label in offer)
    assert "Stable Diffusion 1.5, 512 × 512 (2.1 GB, licence: " in said
    assert "CreativeML Open RAIL-M" in said

    form.size_choice.buttons["sd15"].click()
    until(lambda: remote.the_request(DownloadRequest))
    until(lambda: not form.size_choice.buttons["sd15"].isEnabled())
    remote.base_models = [MODEL, SD15.model_copy(update={"available": True, "note": ""})]
    done = DownloadResult(model="sd15", size_bytes=LISTED.size_bytes)
    remote.finish(remote.job_of("download").id, result=done)
    until(lambda: form.size_choice.buttons["sd15"].text() == "Use It")
    form.size_choice.buttons["sd15"].click()

    assert form.base_model.currentText() == "Stable Diffusion 1.5, 512 × 512"
    assert form.size_choice.isHidden()
    assert form.learn.text() == "Learn"


def test_closing_the_form_cancels_what_is_prepared(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    remote: FakeBackend,
    until: Until,
) -> None:
    remote.describes_at_once = False
    form = open_large(connected, document, krita, until)
    until(lambda: prepared_requests(remote))
    assert not form.size_choice.waiting.isHidden()

    asked = next(key for key, one in remote.requests.items() if getattr(one, "prepared", False))

    form.reject()

    until(lambda: remote.jobs[asked].state == "cancelled")


def test_pictures_that_cannot_be_prepared_are_learnt_all_the_same(
    connected: Any,
    document: fake_krita.Document,
    krita: Any,
    remote: FakeBackend,
    until: Until,
) -> None:
    remote.describes_at_once = False
    form = open_large(connected, document, krita, until)
    until(lambda: prepared_requests(remote))
    asked = next(key for key, one in remote.requests.items() if getattr(one, "prepared", False))

    remote.finish(asked, state="cancelled")

    until(form.size_choice.waiting.isHidden)
    assert not form.size_choice.isHidden()
    form.name.setText("Frog")
    form.class_noun.setEditText("knight")
    assert form.learn.isEnabled()


def test_a_program_s_own_layer_names_are_no_captions(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    names = ("Paint Layer 1", "Background copy", "Слой рисования 2", "holding sword", "")
    krita.window.view.selected = [
        document.add(name, area=QRect(8 * at, 4, 16, 20)) for at, name in enumerate(names)
    ]

    form = open_form(connected, until)

    captions = sorted(caption for _, caption in form.images.chosen())
    assert captions == ["", "", "", "", "holding sword"]
    names_shown = {form.images.topLevelItem(row).data(0, 256) for row in range(len(names))}
    assert names_shown == set(names)


def test_layers_left_out_for_one_reason_share_a_sentence(
    connected: Any, document: fake_krita.Document, krita: Any, until: Until
) -> None:
    empty = [document.add(f"e{number}", area=QRect()) for number in range(5)]
    krita.window.view.selected += empty

    form = open_form(connected, until)

    said = form.remarks.text.text()
    assert said.count("empty") == 1
    assert "and 2 more are empty. Paint on them, or deselect them." in said
