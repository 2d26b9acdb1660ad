"""The form that asks what a LoRA file of another program shows, before it becomes a subject."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..backend.api_requests import ImportRequest
from ..backend.api_responses import CLASS_NOUN_LENGTH, IDENTIFIER_LENGTH, NAME_LENGTH, BaseModelView
from ..backend.lora_header import LoraHeader, in_words
from ..i18n import tr
from ..qt import QtWidgets, Signal
from .widgets import IconSource, Notice, buddy


class ImportForm(QtWidgets.QDialog):
    """Shows, asks, and says each change; Exchange judges."""

    changed = Signal()
    sent = Signal()

    def __init__(
        self,
        icon: IconSource,
        parent: QtWidgets.QWidget | None,
        path: Path,
        header: LoraHeader,
        base_models: Sequence[BaseModelView],
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_import_form")
        self.setWindowTitle(tr("Import a LoRA as a Subject"))
        self.path = path
        self._make_lines(header, path.stem)
        self._offer(base_models, header.family)
        self.file = QtWidgets.QLabel(
            tr("{name} ({size})", name=path.name, size=in_words(header.size))
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

    def _make_lines(self, header: LoraHeader, name: str) -> None:
        self.name = _line("modelsheet_import_name", NAME_LENGTH)
        self.name.setText(name[:NAME_LENGTH])
        self.name.setToolTip(tr("What you call it; prompts name it so, after an @"))
        self.hint = QtWidgets.QLabel()
        self.hint.setObjectName("modelsheet_import_hint")
        self.hint.setWordWrap(True)
        self.hint.setMinimumHeight(self.fontMetrics().height() * 2)
        self.class_noun = _line("modelsheet_import_noun", CLASS_NOUN_LENGTH)
        self.class_noun.setPlaceholderText(tr("for example: human woman"))
        self.class_noun.setToolTip(tr("A common English word for what it shows"))
        self.identifier = _line("modelsheet_import_identifier", IDENTIFIER_LENGTH)
        self.identifier.setText(header.trigger)
        self.identifier.setPlaceholderText(tr("the word it was trained with"))
        self.identifier.setToolTip(
            tr("The trigger word that its author names; some files say it themselves")
        )

    def _offer(self, base_models: Sequence[BaseModelView], family: str) -> None:
        self.base_model = QtWidgets.QComboBox()
        self.base_model.setObjectName("modelsheet_import_base")
        self.base_model.setToolTip(tr("The base model that it was made for; it fits no other"))
        for model in base_models:
            self.base_model.addItem(model.id, model.id)
        fitting = [row for row, model in enumerate(base_models) if model.family == family]
        self.base_model.setCurrentIndex(fitting[0] if fitting else 0)

    def _build(self, icon: IconSource) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow(tr("File"), self.file)
        form.addRow(buddy(tr("Name"), self.name), self.name)
        form.addRow("", self.hint)
        form.addRow(buddy(tr("What it is"), self.class_noun), self.class_noun)
        form.addRow(buddy(tr("Identifier"), self.identifier), self.identifier)
        form.addRow(buddy(tr("Base model"), self.base_model), self.base_model)
        roles = QtWidgets.QDialogButtonBox.ButtonRole
        buttons = QtWidgets.QDialogButtonBox()
        self.ok = buttons.addButton(tr("Import"), roles.AcceptRole)
        self.ok.setObjectName("modelsheet_import_ok")
        self.ok.setIcon(icon("dialog-ok"))
        buttons.addButton(tr("Cancel"), roles.RejectRole).setIcon(icon("dialog-cancel"))
        buttons.accepted.connect(self.sent)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addLayout(form)
        layout.addWidget(self.remarks)
        layout.addWidget(self.progress)
        layout.addWidget(buttons)

    def request(self, parts: tuple[str, ...]) -> ImportRequest:
        return ImportRequest(
            name=self.name.text().strip(),
            class_noun=self.class_noun.text().strip(),
            identifier=self.identifier.text().strip(),
            base_model=self.base_model.currentData() or "",
            parts=parts,
            file_name=self.path.name,
        )

    def show_judgement(self, hint: str, *, can_send: bool) -> None:
        self.hint.setText(hint)
        self.ok.setEnabled(can_send)

    def show_sending(self, done: int, total: int) -> None:
        """While the file travels, nothing else can be entered."""
        self.progress.setRange(0, total)
        self.progress.setValue(done)
        self.progress.setVisible(done < total)


def _line(name: str, most: int) -> QtWidgets.QLineEdit:
    line = QtWidgets.QLineEdit()
    line.setObjectName(name)
    line.setMaxLength(most)
    return line
