"""List of a character's drawings, each with the view that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...i18n import tr
from ...qt import QtCore, QtGui, QtWidgets, Signal, not_none
from ...view_names import VIEWS, title_of
from ..parts.elided import ElidedLabel

THUMBNAIL_LINES = 3


@dataclass(frozen=True)
class DrawingRow:
    """One drawing: its thumbnail, its layer's name, and its view."""

    thumbnail: QtGui.QPixmap
    name: str
    view: str


class DrawingList(QtWidgets.QWidget):
    """One row per drawing; its view can be changed unless it `is_fixed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_drawings")
        self.boxes: list[QtWidgets.QComboBox] = []
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self._rows = QtWidgets.QGridLayout()
        self._rows.setColumnStretch(1, 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(self._rows)

    @property
    def thumbnail_side(self) -> int:
        """The side of a thumbnail in device pixels."""
        return round(THUMBNAIL_LINES * self.fontMetrics().height() * self.devicePixelRatioF())

    def show_rows(self, rows: Sequence[DrawingRow], text: str, *, is_fixed: bool = False) -> None:
        """Replace all rows, below a text that says where they come from."""
        self.text.setText(text)
        while (item := self._rows.takeAt(0)) is not None:
            old = not_none(item.widget())
            old.hide()
            old.deleteLater()
        self.boxes = []
        for number, row in enumerate(rows):
            picture = QtWidgets.QLabel()
            row.thumbnail.setDevicePixelRatio(self.devicePixelRatioF())
            picture.setPixmap(row.thumbnail)
            box = self._make_box(row)
            box.setEnabled(not is_fixed)
            self._rows.addWidget(picture, number, 0)
            self._rows.addWidget(ElidedLabel(row.name), number, 1)
            self._rows.addWidget(box, number, 2)

    def views(self) -> list[str]:
        """Return the view of each drawing."""
        return [str(box.currentData()) for box in self.boxes]

    def _make_box(self, row: DrawingRow) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.setObjectName(f"modelsheet_view_{len(self.boxes)}")
        box.setAccessibleName(tr("View of “{name}”", name=row.name))
        box.setToolTip(tr("Where the figure looks, as you see it: left is the picture's left"))
        for view in VIEWS:
            box.addItem(title_of(view), view)
        box.setCurrentIndex(VIEWS.index(row.view))
        box.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
        box.currentIndexChanged.connect(lambda _: self.changed.emit())
        self.boxes.append(box)
        return box
