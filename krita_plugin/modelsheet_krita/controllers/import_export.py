"""Rename, export and import subjects: dialogs, files, and the requests to the backend."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from ..backend import workflows
from ..backend.api_responses import SubjectView
from ..backend.chunked_upload import ChunkedUpload
from ..backend.connection_thread import BackendConnection
from ..backend.lora_header import read_header
from ..errors import BackendError, BadInput
from ..i18n import format_bytes, tr
from ..mentions import handle, rename
from ..qt import QtWidgets
from ..ui.import_dialog import ImportDialog
from ..ui.name_dialog import NameDialog
from ..ui.panel import Panel
from . import subject_names
from .notices import Notices
from .subjects import Subjects

SUFFIX = ".modelsheet"


class ImportExport:
    """Owns the newest name, import and file dialogs."""

    def __init__(
        self, panel: Panel, connection: BackendConnection, notices: Notices, subjects: Subjects
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._subjects = subjects
        self.name_dialog: NameDialog | None = None
        self.import_dialog: ImportDialog | None = None
        self.file_dialog: QtWidgets.QFileDialog | None = None
        self._upload: ChunkedUpload | None = None
        panel.subjects.rename_wanted.connect(notices.guard(self._rename))
        panel.subjects.export_wanted.connect(notices.guard(self._export))
        panel.subjects.import_wanted.connect(notices.guard(self._choose_file))

    def _rename(self, subject_id: str) -> None:
        subject = self._subjects.get(subject_id)
        taken = self._subjects.handles() - {handle(subject.name)}
        if self.name_dialog is not None:
            self.name_dialog.deleteLater()
        self.name_dialog = dialog = NameDialog(
            self._panel.icon,
            self._panel.window(),
            tr("Rename “{name}”", name=subject.name),
            name=subject.name,
            tip=tr("What you call it; prompts name it so, after an @"),
            validate=lambda name: subject_names.name_error(name, taken),
            explain=subject_names.hint,
        )
        dialog.sent.connect(partial(self._send_name, dialog, subject))
        dialog.show()

    def _send_name(self, dialog: NameDialog, subject: SubjectView, name: str) -> None:
        self._connection.request(
            lambda client: client.rename_subject(subject.id, name),
            partial(self._on_renamed, dialog, subject),
            lambda error: dialog.hint.setText(str(error)),
        )

    def _on_renamed(self, dialog: NameDialog, subject: SubjectView, renamed: SubjectView) -> None:
        dialog.accept()
        prompt = self._panel.prompt
        prompt.setText(rename(prompt.text(), handle(subject.name), handle(renamed.name)))

    def _export(self, subject_id: str) -> None:
        subject = self._subjects.get(subject_id)
        if not subject.is_learnt:
            raise BadInput(
                tr(
                    "@{word} is not learnt yet, so there is no file of it. Learn it first.",
                    word=handle(subject.name),
                )
            )
        dialog = self._new_file_dialog(tr("Export “{name}”", name=subject.name))
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        formats = _formats()
        dialog.setNameFilters(list(formats))
        dialog.setDefaultSuffix("safetensors")
        dialog.selectFile(f"{handle(subject.name)}.safetensors")
        dialog.filterSelected.connect(partial(self._on_filter, dialog, subject))
        dialog.fileSelected.connect(
            lambda path: self.export(subject, Path(path), formats[dialog.selectedNameFilter()])
        )
        dialog.open()

    def _on_filter(
        self, dialog: QtWidgets.QFileDialog, subject: SubjectView, selected: str
    ) -> None:
        suffix = SUFFIX if _formats()[selected] == workflows.ARCHIVE else ".safetensors"
        dialog.setDefaultSuffix(suffix[1:])
        dialog.selectFile(f"{handle(subject.name)}{suffix}")

    def export(self, subject: SubjectView, path: Path, file_format: str) -> None:
        """Write the subject to a file; `file_format`: kohya, diffusers or archive."""
        self._connection.request(
            partial(workflows.export, subject_id=subject.id, file_format=file_format, path=path),
            partial(self._on_written, subject, path, file_format),
            self._notices.show_request_error,
        )

    def _on_written(self, subject: SubjectView, path: Path, file_format: str, size: int) -> None:
        text = tr("{path} is written ({size}).", path=path, size=format_bytes(size))
        if file_format != workflows.ARCHIVE:
            phrase = f"{subject.identifier} {subject.class_noun}"
            text += " " + tr("In other programs' prompts write “{phrase}”.", phrase=phrase)
        self._panel.notice.say(text, icon="dialog-ok")

    def _choose_file(self) -> None:
        dialog = self._new_file_dialog(tr("Import a LoRA or a Subject"))
        dialog.setFileMode(QtWidgets.QFileDialog.FileMode.ExistingFile)
        dialog.setNameFilters(
            [tr("LoRA files and Modelsheet's subjects") + f" (*.safetensors *{SUFFIX})"]
        )
        dialog.fileSelected.connect(
            lambda path: self._notices.attempt(partial(self.import_file, Path(path)))
        )
        dialog.open()

    def _new_file_dialog(self, title: str) -> QtWidgets.QFileDialog:
        """Make a file dialog that is opened without blocking Krita."""
        if self.file_dialog is not None:
            self.file_dialog.deleteLater()
        self.file_dialog = QtWidgets.QFileDialog(self._panel.window(), title)
        self.file_dialog.setObjectName("modelsheet_file_dialog")
        return self.file_dialog

    def import_file(self, path: Path) -> None:
        """Import a subject's archive as it is, a LoRA file after a dialog. Raises BadInput."""
        if path.suffix.casefold() == SUFFIX:
            if not path.is_file():
                raise BadInput(tr("There is no file {path}.", path=path))
            self.import_archive(path)
            return
        header = read_header(path)
        if self.import_dialog is not None:
            self.import_dialog.deleteLater()
        capabilities = self._connection.state.capabilities
        models = [one for one in capabilities.base_models if one.available] if capabilities else []
        self.import_dialog = dialog = ImportDialog(
            self._panel.icon, self._panel.window(), path, header, models
        )
        dialog.changed.connect(partial(self._check, dialog))
        dialog.sent.connect(self._notices.guard(partial(self._send, dialog)))
        dialog.finished.connect(lambda _: self._stop_upload())
        self._check(dialog)
        dialog.show()

    def import_archive(self, source: Path | bytes) -> None:
        """Upload a subject's archive and say when it is imported."""
        notice, connection = self._panel.notice, self._connection
        on_error = self._notices.show_request_error
        self._upload = ChunkedUpload(
            connection,
            source,
            on_progress=lambda done, total: notice.say(
                tr("Importing… {done} of {total}", done=done, total=total), icon="folder"
            ),
            on_sent=lambda parts: connection.request(
                lambda client: client.import_archive(parts), self._report_imported, on_error
            ),
            on_error=on_error,
        )

    def _report_imported(self, subject: SubjectView) -> None:
        word = handle(subject.name)
        text = tr("“{title}” is here. Write @{word} in a prompt.", title=subject.name, word=word)
        self._panel.notice.say(text, icon="dialog-ok")

    def _check(self, dialog: ImportDialog) -> None:
        request = dialog.request(())
        name_error = subject_names.name_error(request.name, self._subjects.handles())
        hint = name_error or subject_names.hint(request.name)
        dialog.show_hint(hint, can_send=not name_error and bool(request.class_noun))

    def _send(self, dialog: ImportDialog) -> None:
        dialog.ok.setEnabled(False)
        self._upload = ChunkedUpload(
            self._connection,
            dialog.path,
            on_progress=dialog.show_progress,
            on_sent=partial(self._import, dialog),
            on_error=partial(self._on_refused, dialog),
        )

    def _import(self, dialog: ImportDialog, parts: tuple[str, ...]) -> None:
        request = dialog.request(parts)
        self._connection.request(
            lambda client: client.import_lora(request),
            partial(self._on_imported, dialog),
            partial(self._on_refused, dialog),
        )

    def _on_imported(self, dialog: ImportDialog, subject: SubjectView) -> None:
        dialog.accept()
        self._report_imported(subject)

    def _on_refused(self, dialog: ImportDialog, error: BackendError) -> None:
        dialog.show_progress(1, 1)
        dialog.remarks.say(str(error))
        self._check(dialog)

    def _stop_upload(self) -> None:
        if self._upload is not None:
            self._upload.stop()


def _formats() -> dict[str, str]:
    """Map the file dialog's filters to the formats of `export`."""
    return {
        tr("LoRA for ComfyUI, A1111, Forge and Krita AI Diffusion") + " (*.safetensors)": "kohya",
        tr("LoRA for diffusers, as it was learnt") + " (*.safetensors)": "diffusers",
        tr("Whole subject, for another Modelsheet") + f" (*{SUFFIX})": workflows.ARCHIVE,
    }
