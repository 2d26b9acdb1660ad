"""Subjects are renamed, exported, imported, and carried in documents, from the docker."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from modelsheet.api.subjects import SubjectView
from modelsheet_krita.document import subject_annotations
from modelsheet_krita.document.subject_annotations import NotedSubject
from tests.plugin import fake_krita
from tests.plugin.binding import Qt
from tests.plugin.conftest import Until, open_document
from tests.plugin.drive import learn_hero, press, said
from tests.plugin.fake_backend import FakeBackend

from modelsheet_krita.backend import chunked_upload  # isort: skip

FOX = SubjectView(
    id="aaaaaaaa-0000-4000-8000-000000000001",
    name="Grey Fox",
    class_noun="fox",
    identifier="gfx",
    base_model="sprite32",
    created=1.0,
    references=[],
    training_steps=3,
)


@pytest.fixture
def fox(connected: Any, remote: FakeBackend, until: Until) -> SubjectView:
    remote._appear(FOX)
    until(lambda: connected.controller.panel.subjects.items.count() == 1)
    return FOX


def pick(docker: Any, subject_id: str, begins: str) -> None:
    """Choose what is called so in a subject's menu."""
    menu = docker.controller.panel.subjects.menu_of(subject_id, "x")
    next(action for action in menu.actions() if action.text().startswith(begins)).trigger()


def texts(docker: Any, subject_id: str) -> list[str]:
    return [
        one.text() for one in docker.controller.panel.subjects.menu_of(subject_id, "x").actions()
    ]


def noted_in(document: fake_krita.Document) -> list[NotedSubject]:
    return subject_annotations.decode_note(document.annotations["modelsheet/subjects"])


def lora(path: Path, **metadata: str) -> Path:
    header = json.dumps({"__metadata__": metadata}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def test_a_subject_is_renamed_and_the_prompt_with_it(
    connected: Any, fox: SubjectView, until: Until
) -> None:
    panel, import_export = connected.controller.panel, connected.controller.import_export
    panel.prompt.setText("@grey_fox beside @grey_foxes")
    panel.subjects.items.setCurrentRow(0)

    press(panel.subjects.items, Qt.Key.Key_F2)
    form = import_export.name_dialog
    assert form.isVisible()
    assert form.name.text() == "Grey Fox"
    form.name.setText(" Red Fox ")
    assert form.hint.text() == "In prompts: @red_fox (only letters and digits count there)"
    form.ok.click()

    until(lambda: not form.isVisible())
    until(lambda: panel.subjects.items.item(0).text().startswith("Red Fox\n@red_fox"))
    assert panel.prompt.text() == "@red_fox beside @grey_foxes"


def test_names_that_cannot_be_are_said_while_they_are_typed(
    connected: Any, fox: SubjectView, remote: FakeBackend, until: Until
) -> None:
    remote._appear(fox.model_copy(update={"id": "a" * 8, "name": "Hero"}))
    until(lambda: connected.controller.panel.subjects.items.count() == 2)
    pick(connected, fox.id, "Rename")
    form = connected.controller.import_export.name_dialog

    form.name.setText("HERO")
    assert form.hint.text() == "There is a subject @hero already. Choose another name."
    assert not form.ok.isEnabled()
    form.name.setText("?!")
    assert form.hint.text().startswith("The name needs a letter or a digit")
    form.name.setText("grey-fox")
    assert form.ok.isEnabled(), "its own word is free for it"
    form.name.setText("Taken")
    form.ok.click()

    until(lambda: form.hint.text() == "There is a subject @taken already.")
    assert form.isVisible()


@pytest.mark.parametrize(
    ("row", "name", "content"),
    [
        (0, "fox.safetensors", b"Grey Fox as kohya"),
        (1, "fox", b"Grey Fox as diffusers"),
        (2, "fox", None),
    ],
)
def test_a_subject_is_written_where_the_artist_says(
    connected: Any,
    fox: SubjectView,
    remote: FakeBackend,
    tmp_path: Path,
    until: Until,
    row: int,
    name: str,
    content: bytes | None,
) -> None:
    pick(connected, fox.id, "Export")
    dialog = connected.controller.import_export.file_dialog
    assert dialog.isVisible()
    chosen = dialog.nameFilters()[row]
    dialog.selectNameFilter(chosen)
    dialog.filterSelected.emit(chosen)
    assert Path(dialog.selectedFiles()[0]).stem == "grey_fox"
    dialog.selectFile(str(tmp_path / name))
    dialog.accept()

    until(lambda: "is written" in said(connected))
    written = next(tmp_path.iterdir())
    assert written.suffix == (".modelsheet" if row == 2 else ".safetensors")
    assert written.read_bytes() == (content or remote.pack(fox))
    assert ("In other programs' prompts write “gfx fox”." in said(connected)) == (row < 2)


def test_a_file_that_cannot_be_written_gets_a_sentence_and_leaves_none(
    connected: Any, fox: SubjectView, tmp_path: Path, until: Until
) -> None:
    from modelsheet_krita.backend.api_responses import SubjectView as Shown

    shown = Shown(fox.id, fox.name, "fox", "gfx", "sprite32", 1.0, ())

    connected.controller.import_export.export(shown, tmp_path / "no" / "fox.safetensors", "kohya")

    until(lambda: said(connected).endswith("cannot be written. Choose another folder."))
    assert list(tmp_path.iterdir()) == []


def test_a_lora_becomes_a_subject_after_asking_what_it_shows(
    connected: Any,
    remote: FakeBackend,
    tmp_path: Path,
    until: Until,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chunked_upload, "CHUNK_BYTES", 50)  # so that it goes in several
    path = lora(tmp_path / "Grey Fox.safetensors", **{"modelspec.trigger_phrase": "gfx"})
    import_export = connected.controller.import_export

    connected.controller.panel.subjects.import_button.click()
    assert import_export.file_dialog.isVisible()
    import_export.file_dialog.selectFile(str(path))
    import_export.file_dialog.accept()

    until(lambda: import_export.import_dialog and import_export.import_dialog.isVisible())
    form = import_export.import_dialog
    assert (form.name.text(), form.identifier.text()) == ("Grey Fox", "gfx")
    assert form.base_model.currentText() == "sprite32"
    assert not form.ok.isEnabled(), "what it shows is not said yet"
    form.class_noun.setText("fox")
    form.ok.click()

    until(lambda: not form.isVisible())
    request, content = remote.imported[0]
    assert (request.name, request.class_noun, request.identifier) == ("Grey Fox", "fox", "gfx")
    assert (request.file_name, content) == (path.name, path.read_bytes())
    assert len(request.parts) > 1
    assert said(connected) == "“Grey Fox” is here. Write @grey_fox in a prompt."
    until(lambda: connected.controller.panel.subjects.items.count() == 1)


def test_what_the_backend_says_against_a_file_stands_in_the_form(
    connected: Any, remote: FakeBackend, tmp_path: Path, until: Until
) -> None:
    connected.controller.import_export.import_file(lora(tmp_path / "fox.safetensors"))
    form = connected.controller.import_export.import_dialog
    form.class_noun.setText("fox")
    remote.refusal = "fox.safetensors was made for SDXL."

    form.ok.click()

    until(lambda: not form.remarks.isHidden())
    assert form.remarks.text.text() == "fox.safetensors was made for SDXL."
    assert form.isVisible()
    assert form.ok.isEnabled()
    assert form.progress.isHidden()


BAD_FILES = {
    "a text": (b"hello", "“x.safetensors” is no .safetensors file inside"),
    "empty": (b"", "“x.safetensors” is no .safetensors file inside"),
    "a pickle": (b"PK\3\4" + bytes(60), "“x.safetensors” is no .safetensors file inside"),
    "a list": (struct.pack("<Q", 2) + b"[]", "“x.safetensors” is no .safetensors file inside"),
    "too long a header": (
        struct.pack("<Q", 1 << 40) + b"{}",
        "“x.safetensors” is no .safetensors file inside",
    ),
}


@pytest.mark.parametrize(("content", "sentence"), BAD_FILES.values(), ids=BAD_FILES)
def test_files_that_are_no_lora_are_refused_before_anything_is_sent(
    connected: Any, remote: FakeBackend, tmp_path: Path, content: bytes, sentence: str
) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(content)
    controller = connected.controller

    controller.notices.attempt(lambda: controller.import_export.import_file(path))

    assert said(connected).startswith(sentence)
    assert controller.import_export.import_dialog is None
    assert remote.blobs == {}


def test_a_whole_checkpoint_is_not_sent(connected: Any, tmp_path: Path) -> None:
    path = lora(tmp_path / "sd.safetensors")
    with path.open("r+b") as stream:
        stream.truncate(2 << 30)  # sparse
    controller = connected.controller

    controller.notices.attempt(lambda: controller.import_export.import_file(path))

    assert said(connected).startswith("“sd.safetensors” has 2.1 GB; a LoRA has at most 536.9 MB.")


def test_a_missing_file_gets_a_sentence(connected: Any, tmp_path: Path) -> None:
    controller = connected.controller

    for name in ("no.safetensors", "no.modelsheet"):
        controller.notices.attempt(
            lambda name=name: controller.import_export.import_file(tmp_path / name)
        )
        assert "no." in said(connected)


def test_a_subject_file_comes_in_without_questions(
    connected: Any, remote: FakeBackend, tmp_path: Path, until: Until
) -> None:
    path = tmp_path / "fox.modelsheet"
    path.write_bytes(remote.pack(FOX))

    connected.controller.import_export.import_file(path)

    until(lambda: said(connected).startswith("“Grey Fox” is here."))
    assert [one.id for one in remote.subjects] == [FOX.id]


def carry(docker: Any, subject_id: str, until: Until) -> None:
    pick(docker, subject_id, "Embed")
    until(lambda: "larger by" in said(docker))
    docker.controller.panel.notice._button.click()
    until(lambda: "when you save it" in said(docker))


def test_a_document_carries_a_subject_once_the_artist_knows_what_it_costs(
    connected: Any,
    document: fake_krita.Document,
    fox: SubjectView,
    remote: FakeBackend,
    until: Until,
) -> None:
    remote.padding = 2_500_000
    assert not subject_annotations.complete_subjects(document.annotationTypes())

    pick(connected, fox.id, "Embed")
    until(lambda: "@grey_fox makes “fake” larger by 2.5 MB" in said(connected))
    assert document.annotationTypes() == [], "nothing before the artist says so"
    connected.controller.panel.notice._button.click()
    until(lambda: "when you save it" in said(connected))

    keys = subject_annotations.complete_subjects(document.annotationTypes())[fox.id]
    assert len(keys) == 3
    assert b"".join(document.annotations[key] for key in keys) == remote.pack(fox)
    assert document.modified()
    assert "Remove from This Document" in texts(connected, fox.id)
    pick(connected, fox.id, "Remove from")
    assert subject_annotations.complete_subjects(document.annotationTypes()) == {}
    assert "Embed in This Document…" in texts(connected, fox.id)


def test_another_machine_is_offered_what_the_document_brings(
    connected: Any,
    document: fake_krita.Document,
    krita: fake_krita.Krita,
    fox: SubjectView,
    remote: FakeBackend,
    until: Until,
) -> None:
    carry(connected, fox.id, until)
    krita.window.view = None
    remote.subjects.clear()
    remote.publish(None)
    until(lambda: connected.controller.panel.subjects.items.count() == 0)

    krita.window.view = fake_krita.View(document)
    connected.canvasChanged(None)
    until(lambda: "brings @grey_fox with it" in said(connected))
    connected.controller.panel.notice._button.click()

    until(lambda: said(connected).startswith("“Grey Fox” is here."))
    assert remote.subjects == [fox]
    until(lambda: connected.controller.panel.subjects.items.count() == 1)
    connected.canvasChanged(None)
    assert connected.controller.subjects.missing(noted_in(document)) == []


def test_a_document_is_offered_the_subject_that_was_learnt_again(
    connected: Any, document: fake_krita.Document, remote: FakeBackend, until: Until
) -> None:
    learn_hero(connected, remote, until)
    former = remote.subjects[0].id
    carry(connected, former, until)
    remote.jobs.clear()
    remote.requests.clear()
    panel = connected.controller.panel

    panel.subjects.relearn_wanted.emit(former)
    until(lambda: connected.controller.learn.dialog.isVisible())
    connected.controller.learn.dialog.name.setText("Captain")
    connected.controller.learn.dialog.learn.click()
    until(lambda: any(job.kind == "learn" for job in [*remote.jobs.values()]))
    remote.learn_done()
    until(lambda: said(connected).startswith("“fake” has another version of @captain"))
    panel.notice._button.click()
    until(lambda: "when you save it" in said(connected))

    (subject,) = remote.subjects
    assert (
        [*subject_annotations.complete_subjects(document.annotationTypes())]
        == [subject.id]
        != [former]
    )
    assert [one.name for one in noted_in(document)] == ["Captain"]


def test_another_subject_of_the_same_name_is_not_brought_in_over_it(
    connected: Any,
    document: fake_krita.Document,
    fox: SubjectView,
    remote: FakeBackend,
    until: Until,
) -> None:
    carry(connected, fox.id, until)

    remote.subjects[:] = [fox.model_copy(update={"id": fox.id.replace("a", "b")})]
    remote.publish(None)

    until(lambda: said(connected).startswith("“fake” has another version of @grey_fox"))


def test_half_of_a_carried_subject_is_not_offered(
    connected: Any,
    document: fake_krita.Document,
    fox: SubjectView,
    remote: FakeBackend,
    until: Until,
) -> None:
    remote.padding = 2_500_000
    carry(connected, fox.id, until)
    document.removeAnnotation(
        subject_annotations.complete_subjects(document.annotationTypes())[fox.id][1]
    )

    remote.subjects.clear()
    remote.publish(None)

    until(lambda: "which this backend does not have. Connect to" in said(connected))


def test_a_subject_that_the_artist_threw_away_is_not_missed(
    connected: Any,
    document: fake_krita.Document,
    fox: SubjectView,
    remote: FakeBackend,
    until: Until,
) -> None:
    subjects = connected.controller.subjects
    noted = [NotedSubject(fox.id, fox.name, fox.class_noun)]
    other = [NotedSubject("another", "Owl", "owl")]

    subjects.discard(fox.id)
    until(lambda: not subjects.all)

    assert subjects.missing(noted) == []
    assert subjects.missing(noted + other) == ["owl"]


def test_carrying_into_a_document_that_was_closed_gets_a_sentence(
    connected: Any, document: fake_krita.Document, fox: SubjectView, until: Until
) -> None:
    pick(connected, fox.id, "Embed")
    until(lambda: "larger by" in said(connected))
    document.close()

    connected.controller.panel.notice._button.click()

    until(lambda: said(connected) == "“fake” was closed meanwhile. Open it again.")


def test_a_document_is_called_by_its_file(
    connected: Any, document: fake_krita.Document, fox: SubjectView, until: Until
) -> None:
    document.file = "/home/ana/page 3.kra"

    pick(connected, fox.id, "Embed")

    until(lambda: "makes “page 3.kra” larger by" in said(connected))


def test_carrying_without_a_document_gets_a_sentence(connected: Any, fox: SubjectView) -> None:
    pick(connected, fox.id, "Embed")

    assert said(connected).startswith("No document is open in this window.")


def test_delete_throws_away_and_can_be_undone(
    connected: Any, fox: SubjectView, remote: FakeBackend, until: Until
) -> None:
    items = connected.controller.panel.subjects.items
    items.setCurrentRow(0)

    press(items, Qt.Key.Key_Delete)

    assert items.count() == 0
    connected.controller.panel.notice._button.click()
    assert items.count() == 1


def test_a_learnt_subject_is_carried_too(
    connected: Any, krita: fake_krita.Krita, remote: FakeBackend, until: Until
) -> None:
    document = open_document(krita, fake_krita.Document(64, 64))
    learn_hero(connected, remote, until)
    subject_id = remote.subjects[0].id

    carry(connected, subject_id, until)

    assert [*subject_annotations.complete_subjects(document.annotationTypes())] == [subject_id]
