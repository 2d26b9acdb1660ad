"""Dialog to import a LoRA file of another program as a subject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..backend.api_requests import ImportRequest
from ..backend.api_responses import CLASS_NOUN_LENGTH, IDENTIFIER_LENGTH, NAME_LENGTH, BaseModelView
from ..backend.lora_header import LoraHeader
from ..i18n import format_bytes, tr
from ..qt import QtWidgets, Signal, plain_label
from .parts.elided import HintLabel
from .widgets import IconLoader, Notice, buddy, dialog_buttons


class ImportDialog(QtWidgets.QDialog):
    """Asks for name, class noun, identifier and base model; ImportExport checks the entries."""

    changed = Signal()
    sent = Signal()

    def __init__(
        self,
        icon: IconLoader,
        parent: QtWidgets.QWidget | None,
        path: Path,
        header: LoraHeader,
        base_models: Sequence[BaseModelView],
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_import_form")
        self.setWindowTitle(tr("Import a LoRA as a Subject"))
        self.path = path
        self._make_fields(header, path.stem)
        self._fill_base_models(base_models, header.family)
        self.file = plain_label(
            tr("{name} ({size})", name=path.name, size=format_bytes(header.size))
        )
        self.file.setWordWrap(True)
        self.remarks = Notice(icon, "modelsheet_import_remarks")
        self.progress = QtWidgets.QProgressBar()
        self.progress.setAccessibleName(tr("How much of the file is sent"))
        self.progress.hide()
        self._build(icon)
        em = self.fontMetrics().height()
        self.resize(26 * em, self.sizeHint().height())
        for line in (self.name, self.class_noun, self.identifier):
            line.textChanged.connect(self.changed)

    def _make_fields(self, header: LoraHeader, name: str) -> None:
        self.name = _line("modelsheet_import_name", NAME_LENGTH)
        self.name.setText(name[:NAME_LENGTH])
        self.name.setToolTip(tr("What you call it; prompts name it so, after an @"))
        self.hint = HintLabel("modelsheet_import_hint")
        self.class_noun = _line("modelsheet_import_noun", CLASS_NOUN_LENGTH)
        self.class_noun.setPlaceholderText(tr("for example: human woman"))
        self.class_noun.setToolTip(tr("A common English word for what it shows"))
        self.identifier = _line("modelsheet_import_identifier", IDENTIFIER_LENGTH)
        self.identifier.setText(header.trigger)
        self.identifier.setPlaceholderText(tr("the word it was trained with"))
        self.identifier.setToolTip(
            tr("The trigger word that its author names; some files say it themselves")
        )

    def _fill_base_models(self, base_models: Sequence[BaseModelView], family: str) -> None:
        self.base_model = QtWidgets.QComboBox()
        self.base_model.setObjectName("modelsheet_import_base")
        self.base_model.setToolTip(tr("The base model that it was made for; it fits no other"))
        for model in base_models:
            self.base_model.addItem(model.id, model.id)
        fitting = [row for row, model in enumerate(base_models) if model.family == family]
        self.base_model.setCurrentIndex(fitting[0] if fitting else 0)

    def _build(self, icon: IconLoader) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow(tr("File"), self.file)
        form.addRow(buddy(tr("Name"), self.name), self.name)
        form.addRow("", self.hint)
        form.addRow(buddy(tr("What it is"), self.class_noun), self.class_noun)
        form.addRow(buddy(tr("Trigger word"), self.identifier), self.identifier)
        form.addRow(buddy(tr("Base model"), self.base_model), self.base_model)
        buttons, self.ok = dialog_buttons(self, icon, tr("Import"))
        self.ok.setObjectName("modelsheet_import_ok")
        buttons.accepted.connect(self.sent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.remarks)
        layout.addWidget(self.progress)
        layout.addWidget(buttons)

    def request(self, parts: tuple[str, ...]) -> ImportRequest:
        """Return the entries as a request for the file in the blobs `parts`."""
        return ImportRequest(
            name=self.name.text().strip(),
            class_noun=self.class_noun.text().strip(),
            identifier=self.identifier.text().strip(),
            base_model=self.base_model.currentData() or "",
            parts=parts,
            file_name=self.path.name,
        )

    def show_hint(self, hint: str, *, can_send: bool) -> None:
        """Show the hint below the name and enable or disable Import."""
        self.hint.setText(hint)
        self.ok.setEnabled(can_send)

    def show_progress(self, done: int, total: int) -> None:
        """Show how many parts of the file are sent."""
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setVisible(done < total)


def _line(name: str, most: int) -> QtWidgets.QLineEdit:
    line = QtWidgets.QLineEdit()
    line.setObjectName(name)
    line.setMaxLength(most)
    return line
