"""Dialog that asks for a name."""

from __future__ import annotations

from typing import Callable

from ..backend.api_responses import NAME_LENGTH
from ..i18n import tr
from ..qt import QtWidgets, Signal
from .parts.elided import HintLabel
from .widgets import IconLoader, buddy, dialog_buttons


class NameDialog(QtWidgets.QDialog):
    """Checks the name while it is typed; emits `sent` with it. Not modal.

    `validate` returns why a name cannot be used, or ""; `explain` returns how it will be used.
    """

    sent = Signal(str)

    def __init__(
        self,
        icon: IconLoader,
        parent: QtWidgets.QWidget | None,
        title: str,
        *,
        name: str,
        tip: str,
        validate: Callable[[str], str],
        explain: Callable[[str], str],
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_name_form")
        self.setWindowTitle(title)
        self._validate, self._explain = validate, explain
        self.name = QtWidgets.QLineEdit(name)
        self.name.setObjectName("modelsheet_new_name")
        self.name.setMaxLength(NAME_LENGTH)
        self.name.setToolTip(tip)
        self.hint = HintLabel("modelsheet_name_hint")
        self._build(icon)
        self.resize(20 * self.fontMetrics().height(), self.sizeHint().height())
        self.name.textChanged.connect(self._on_changed)
        self.name.selectAll()
        self._on_changed(name)

    def _build(self, icon: IconLoader) -> None:
        buttons, self.ok = dialog_buttons(self, icon, tr("OK"))
        buttons.accepted.connect(self._on_accepted)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(buddy(tr("Name"), self.name))
        layout.addWidget(self.name)
        layout.addWidget(self.hint)
        layout.addWidget(buttons)

    def _on_changed(self, name: str) -> None:
        error = self._validate(name.strip())
        self.hint.setText(error or self._explain(name.strip()))
        self.ok.setEnabled(not error)

    def _on_accepted(self) -> None:
        self.ok.setEnabled(False)
        self.sent.emit(self.name.text().strip())
