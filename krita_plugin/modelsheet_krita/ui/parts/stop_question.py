"""Question before a subject's learning is stopped: keep the best so far, discard it, or go on."""

from __future__ import annotations

from ...i18n import tr
from ...qt import QtWidgets, Signal, not_none


class StopQuestion(QtWidgets.QMessageBox):
    """Asks what becomes of what is learnt; emits `answered` with cancel or finish. Not modal.

    `can_finish`: something is learnt that can be kept. Enter and Escape go on learning.
    """

    answered = Signal(str)

    def __init__(
        self, parent: QtWidgets.QWidget | None, *, title: str, detail: str, can_finish: bool
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_stop_form")
        self.setWindowTitle(title)
        self.setIcon(QtWidgets.QMessageBox.Icon.Question)
        self.setText(tr("Stop learning?"))
        self.setInformativeText(detail)
        roles = QtWidgets.QMessageBox.ButtonRole
        self._finish = None
        if can_finish:
            self._finish = self.addButton(tr("Keep the Best So Far"), roles.AcceptRole)
        self._discard = self.addButton(tr("Discard What Is Learnt"), roles.DestructiveRole)
        go_on = not_none(self.addButton(tr("Go On Learning"), roles.RejectRole))
        self.setDefaultButton(go_on)
        self.setEscapeButton(go_on)
        self.setModal(False)
        self.buttonClicked.connect(self._on_clicked)

    def _on_clicked(self, button: QtWidgets.QAbstractButton) -> None:
        if button is self._finish:
            self.answered.emit("finish")
        elif button is self._discard:
            self.answered.emit("cancel")
