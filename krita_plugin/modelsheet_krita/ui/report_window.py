"""A window that shows what a subject was learnt from and how well that went."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ..backend.api_responses import SubjectView
from ..i18n import tr
from ..image import Picture, thumbnail
from ..qt import QtCore, QtGui, QtWidgets


class ReportView(QtWidgets.QDialog):
    """Its references as pictures, and the facts as a table that can be copied."""

    def __init__(
        self,
        subject: SubjectView,
        references: Sequence[Picture],
        parent: QtWidgets.QWidget | None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_report")
        self.setWindowTitle(subject.name)
        em = self.fontMetrics().height()
        self.pictures = QtWidgets.QListWidget()
        self.pictures.setAccessibleName(tr("What it was learnt from"))
        self.pictures.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.pictures.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.pictures.setMovement(QtWidgets.QListView.Movement.Static)
        self.pictures.setIconSize(QtCore.QSize(6 * em, 6 * em))
        self.pictures.setGridSize(QtCore.QSize(8 * em, round(7.5 * em)))
        self.pictures.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side = round(6 * em * self.devicePixelRatioF())
        for picture in references:
            icon = QtGui.QIcon(thumbnail(picture, side))
            item = QtWidgets.QListWidgetItem(icon, picture.name)
            item.setToolTip(picture.name)
            self.pictures.addItem(item)
        self.facts = QtWidgets.QLabel(facts(subject))
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QtWidgets.QDialogButtonBox()
        buttons.addButton(tr("Close"), QtWidgets.QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(QtWidgets.QLabel(tr("What it was learnt from")))
        layout.addWidget(self.pictures, 1)
        layout.addWidget(self.facts)
        layout.addWidget(buttons)
        self.resize(28 * em, 24 * em)


def facts(subject: SubjectView) -> str:
    """A table in rich text."""
    likeness = "–" if subject.likeness is None else f"{subject.likeness:.0%}"
    rows = [
        (tr("What it is"), subject.class_noun),
        (tr("Identifier"), subject.identifier),
        (tr("Base model"), subject.base_model),
        (tr("Steps"), str(subject.training_steps)),
        (tr("Likeness"), likeness),
    ]
    cells = "".join(
        f"<tr><td>{html.escape(name)}&nbsp;&nbsp;</td><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    warnings = "".join(f"<p>{html.escape(warning)}</p>" for warning in subject.warnings)
    return f"<table>{cells}</table>{warnings}"
