"""What the artist does with a whole subject: call it otherwise, take it out, bring one in."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..backend import calls
from ..backend.api_responses import SubjectView
from ..backend.chunked_upload import Sending
from ..backend.lora_header import in_words, read_header
from ..errors import BackendError, BadInput
from ..i18n import tr
from ..qt import QtWidgets
from ..ui.import_dialog import ImportForm
from ..ui.name_dialog import NameForm
from . import subject_names
from .context import Desk
from .subjects import Shelf

SUFFIX = ".modelsheet"


class Exchange:
    """Between the list of subjects, the forms, and the backend."""

    def __init__(self, desk: Desk, shelf: Shelf) -> None:
        self._desk, self._shelf = desk, shelf
        self.name_form: NameForm | None = None
        self.import_form: ImportForm | None = None
        self.dialog: QtWidgets.QFileDialog | None = None
        self._sending: Sending | None = None
        subjects = desk.panel.list
        subjects.rename_wanted.connect(lambda key: desk.attempt(partial(self._rename, key)))
        subjects.export_wanted.connect(lambda key: desk.attempt(partial(self._export, key)))
        subjects.import_wanted.connect(lambda: desk.attempt(self._choose))

    def _rename(self, subject_id: str) -> None:
        subject = self._shelf.get(subject_id)
        taken = self._shelf.handles() - {subject_names.handle(subject.name)}
        if self.name_form is not None:
            self.name_form.deleteLater()
        self.name_form = form = NameForm(
            self._desk.icon,
            self._desk.panel.window(),
            tr("Rename “{name}”", name=subject.name),
            name=subject.name,
            tip=tr("What you call it; prompts name it so, after an @"),
            judge=lambda name: subject_names.objection(name, taken),
            explain=subject_names.hint,
        )
        form.sent.connect(partial(self._send_name, subject))
        form.show()

    def _send_name(self, subject: SubjectView, name: str) -> None:
        form = self.name_form
        assert form is not None
        self._desk.link.ask(
            lambda client: client.rename_subject(subject.id, name),
            lambda renamed: self._on_renamed(form, subject, renamed),
            lambda trouble: form.hint.setText(str(trouble)),
        )

    def _on_renamed(self, form: NameForm, subject: SubjectView, renamed: SubjectView) -> None:
        form.accept()
        old, new = (f"@{subject_names.handle(one.name)}" for one in (subject, renamed))
        prompt = self._desk.panel.prompt
        words = [new if word == old else word for word in prompt.text().split(" ")]
        prompt.setText(" ".join(words))

    def _export(self, subject_id: str) -> None:
        subject = self._shelf.get(subject_id)
        dialog = self._file_dialog(tr("Export “{name}”", name=subject.name))
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        formats = _formats()
        dialog.setNameFilters(list(formats))
        dialog.setDefaultSuffix("safetensors")
        dialog.selectFile(f"{subject_names.handle(subject.name)}.safetensors")
        dialog.filterSelected.connect(partial(self._on_filter, dialog, subject))
        dialog.fileSelected.connect(
            lambda path: self._write(subject, Path(path), formats[dialog.selectedNameFilter()])
        )
        dialog.open()

    def _on_filter(self, dialog: QtWidgets.QFileDialog, subject: SubjectView, chosen: str) -> None:
        suffix = SUFFIX if _formats()[chosen] == calls.PARCEL else ".safetensors"
        dialog.setDefaultSuffix(suffix[1:])
        dialog.selectFile(f"{subject_names.handle(subject.name)}{suffix}")

    def _write(self, subject: SubjectView, path: Path, file_format: str) -> None:
        self._desk.link.ask(
            partial(calls.export, subject_id=subject.id, file_format=file_format, path=path),
            partial(self._on_written, subject, path, file_format),
            self._desk.on_trouble,
        )

    def _on_written(self, subject: SubjectView, path: Path, file_format: str, size: int) -> None:
        said = tr("{path} is written ({size}).", path=path, size=in_words(size))
        if file_format != calls.PARCEL:
            phrase = f"{subject.identifier} {subject.class_noun}"
            said += " " + tr("In other programs' prompts write “{phrase}”.", phrase=phrase)
        self._desk.panel.notice.say(said, icon="dialog-ok")

    def _choose(self) -> None:
        dialog = self._file_dialog(tr("Import a LoRA or a Subject"))
        dialog.setFileMode(QtWidgets.QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(
            [tr("LoRA files and Modelsheet's subjects") + f" (*.safetensors *{SUFFIX})"]
        )
        dialog.fileSelected.connect(
            lambda path: self._desk.attempt(partial(self.bring_in, Path(path)))
        )
        dialog.open()

    def _file_dialog(self, title: str) -> QtWidgets.QFileDialog:
        """Opened without waiting for its end: Krita goes on meanwhile."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = QtWidgets.QFileDialog(self._desk.panel.window(), title)
        self.dialog.setObjectName("modelsheet_file_dialog")
        return self.dialog

    def bring_in(self, path: Path) -> None:
        """Take a file in: a subject of ours as it is, a LoRA after asking what it shows."""
        if path.suffix.casefold() == SUFFIX:
            if not path.is_file():
                raise BadInput(tr("There is no file {path}.", path=path))
            self.unpack(path)
            return
        header = read_header(path)
        if self.import_form is not None:
            self.import_form.deleteLater()
        capabilities = self._desk.link.state.capabilities
        models = [one for one in capabilities.base_models if one.available] if capabilities else []
        self.import_form = form = ImportForm(
            self._desk.icon, self._desk.panel.window(), path, header, models
        )
        form.changed.connect(self._judge)
        form.sent.connect(lambda: self._desk.attempt(self._send))
        form.finished.connect(self._stop_sending)
        self._judge()
        form.show()

    def unpack(self, source: Path | bytes) -> None:
        """Send a whole subject and say when it is there."""
        panel, link = self._desk.panel, self._desk.link
        self._sending = Sending(
            link,
            source,
            on_progress=lambda done, total: panel.notice.say(
                tr("Bringing it in… {done} of {total}", done=done, total=total), icon="folder"
            ),
            on_sent=lambda parts: link.ask(
                lambda client: client.unpack(parts), self._on_brought, self._desk.on_trouble
            ),
            on_trouble=self._desk.on_trouble,
        )

    def _on_brought(self, subject: SubjectView) -> None:
        word = subject_names.handle(subject.name)
        said = tr("“{title}” is here. Write @{word} in a prompt.", title=subject.name, word=word)
        self._desk.panel.notice.say(said, icon="dialog-ok")

    def _judge(self) -> None:
        form = self.import_form
        assert form is not None
        request = form.request(())
        objection = subject_names.objection(request.name, self._shelf.handles())
        hint = objection or subject_names.hint(request.name)
        form.show_judgement(hint, can_send=not objection and bool(request.class_noun))

    def _send(self) -> None:
        form = self.import_form
        assert form is not None
        form.ok.setEnabled(False)
        self._sending = Sending(
            self._desk.link,
            form.path,
            on_progress=form.show_sending,
            on_sent=partial(self._import, form),
            on_trouble=partial(self._on_refused, form),
        )

    def _import(self, form: ImportForm, parts: tuple[str, ...]) -> None:
        request = form.request(parts)
        self._desk.link.ask(
            lambda client: client.import_lora(request),
            lambda subject: self._on_imported(form, subject),
            partial(self._on_refused, form),
        )

    def _on_imported(self, form: ImportForm, subject: SubjectView) -> None:
        form.accept()
        self._on_brought(subject)

    def _on_refused(self, form: ImportForm, trouble: BackendError) -> None:
        form.show_sending(1, 1)
        form.remarks.say(str(trouble))
        self._judge()

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.stop()


def _formats() -> dict[str, str]:
    """What the file dialog offers to write, and what the backend calls it."""
    return {
        tr("LoRA for ComfyUI, A1111, Forge and Krita AI Diffusion") + " (*.safetensors)": "kohya",
        tr("LoRA for diffusers, as it was learnt") + " (*.safetensors)": "diffusers",
        tr("Whole subject, for another Modelsheet") + f" (*{SUFFIX})": calls.PARCEL,
    }
