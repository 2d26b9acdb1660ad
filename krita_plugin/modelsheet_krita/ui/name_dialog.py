"""A small form that asks what something shall be called."""

from __future__ import annotations

from typing import Callable

from ..backend.api_responses import NAME_LENGTH
from ..i18n import tr
from ..qt import QtWidgets, Signal
from .widgets import IconSource, buddy


class NameForm(QtWidgets.QDialog):
    """Asks and judges while it is typed; `sent` when the artist agrees. It blocks nothing.

    `judge` says of a name what is wrong with it, or nothing; `explain` how it will be used.
    """

    sent = Signal(str)

    def __init__(
        self,
        icon: IconSource,
        parent: QtWidgets.QWidget | None,
        title: str,
        *,
        name: str,
        tip: str,
        judge: Callable[[str], str],
        explain: Callable[[str], str],
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_name_form")
        self.setWindowTitle(title)
        self._judge, self._explain = judge, explain
        self.name = QtWidgets.QLineEdit(name)
        self.name.setObjectName("modelsheet_new_name")
        self.name.setMaxLength(NAME_LENGTH)
        self.name.setToolTip(tip)
        self.hint = QtWidgets.QLabel()
        self.hint.setObjectName("modelsheet_name_hint")
        self.hint.setWordWrap(True)
        em = self.fontMetrics().height()
        self.hint.setMinimumHeight(2 * em)  # so that the form does not jump
        self._build(icon)
        self.resize(20 * em, self.sizeHint().height())
        self.name.textChanged.connect(self._on_changed)
        self.name.selectAll()
        self._on_changed(name)

    def _build(self, icon: IconSource) -> None:
        roles = QtWidgets.QDialogButtonBox.ButtonRole
        buttons = QtWidgets.QDialogButtonBox()
        self.ok = buttons.addButton(tr("OK"), roles.AcceptRole)
        self.ok.setIcon(icon("dialog-ok"))
        buttons.addButton(tr("Cancel"), roles.RejectRole).setIcon(icon("dialog-cancel"))
        buttons.accepted.connect(self._on_accepted)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(buddy(tr("Name"), self.name))
        layout.addWidget(self.name)
        layout.addWidget(self.hint)
        layout.addWidget(buttons)

    def _on_changed(self, name: str) -> None:
        objection = self._judge(name.strip())
        self.hint.setText(objection or self._explain(name.strip()))
        self.ok.setEnabled(not objection)

    def _on_accepted(self) -> None:
        self.ok.setEnabled(False)
        self.sent.emit(self.name.text().strip())
