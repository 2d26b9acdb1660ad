"""Window with a subject's references and the facts of its training."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ..backend.api_responses import SubjectView
from ..i18n import tr
from ..image import Image, thumbnail
from ..qt import QtCore, QtGui, QtWidgets, plain, plain_label


class ReportWindow(QtWidgets.QDialog):
    """Shows the references as thumbnails and the facts as a table that can be copied."""

    def __init__(
        self,
        subject: SubjectView,
        references: Sequence[Image],
        parent: QtWidgets.QWidget | None,
    ) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_report")
        self.setWindowTitle(subject.name)
        em = self.fontMetrics().height()
        self.images = QtWidgets.QListWidget()
        self.images.setAccessibleName(_title(subject))
        self.images.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.images.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.images.setMovement(QtWidgets.QListView.Movement.Static)
        self.images.setIconSize(QtCore.QSize(6 * em, 6 * em))
        self.images.setGridSize(QtCore.QSize(8 * em, round(7.5 * em)))
        self.images.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        side = round(6 * em * self.devicePixelRatioF())
        for image in references:
            icon = QtGui.QIcon(thumbnail(image, side))
            item = QtWidgets.QListWidgetItem(icon, image.name)
            item.setToolTip(plain(image.name))
            self.images.addItem(item)
        self.facts = QtWidgets.QLabel(facts(subject))
        self.facts.setWordWrap(True)
        self.facts.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        buttons = QtWidgets.QDialogButtonBox()
        buttons.addButton(tr("Close"), QtWidgets.QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.addWidget(plain_label(_title(subject)))
        layout.addWidget(self.images, 1)
        layout.addWidget(self.facts)
        layout.addWidget(buttons)
        self.resize(28 * em, 24 * em)


def _title(subject: SubjectView) -> str:
    return tr("What it was learnt from") if subject.is_learnt else tr("Its pictures")


def facts(subject: SubjectView) -> str:
    """Return the facts as a table in rich text."""
    rows = [
        (tr("What it is"), subject.class_noun),
        (tr("Base model"), subject.base_model),
    ]
    if not subject.is_learnt:
        rows.append((tr("Learnt"), tr("not yet: it is painted by these pictures")))
    else:
        rows += [
            (tr("Secret word"), subject.identifier),
            (tr("Steps"), str(subject.training_steps)),
            (tr("Likeness"), _percent(subject.likeness)),
        ]
    if subject.report is not None and subject.report.by_references and subject.report.by_both:
        rows += [
            (tr("By its pictures alone"), _percent(subject.report.by_references.likeness)),
            (tr("By both together"), _percent(subject.report.by_both.likeness)),
        ]
    cells = "".join(
        f"<tr><td>{html.escape(name)}&nbsp;&nbsp;</td><td>{html.escape(value)}</td></tr>"
        for name, value in rows
    )
    warnings = "".join(f"<p>{html.escape(warning)}</p>" for warning in subject.warnings)
    return f"<table>{cells}</table>{warnings}"


def _percent(likeness: float | None) -> str:
    return "–" if likeness is None else f"{likeness:.0%}"
