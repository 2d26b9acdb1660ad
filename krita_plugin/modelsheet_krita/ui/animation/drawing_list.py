"""A character's drawings beside each other, each with the view that it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...i18n import tr
from ...qt import QtCore, QtGui, QtWidgets, Signal, not_none, plain_label
from ...view_names import VIEWS, title_of
from ..parts.elided import ElidedLabel
from ..widgets import may_be_narrow

THUMBNAIL_LINES = 3


@dataclass(frozen=True)
class DrawingRow:
    """One drawing: its thumbnail, its layer's name, and its view."""

    thumbnail: QtGui.QPixmap
    name: str
    view: str


class DrawingList(QtWidgets.QWidget):
    """Thumbnail, name and view of each drawing; the views can be changed unless they are fixed."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_drawings")
        self.boxes: list[QtWidgets.QComboBox] = []
        self.text = plain_label()
        self.text.setWordWrap(True)
        self._cells = QtWidgets.QGridLayout()
        self._cells.setVerticalSpacing(self.fontMetrics().height() // 4)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(self._cells)

    @property
    def thumbnail_side(self) -> int:
        """The side of a thumbnail in device pixels."""
        return round(THUMBNAIL_LINES * self.fontMetrics().height() * self.devicePixelRatioF())

    def show_rows(self, rows: Sequence[DrawingRow], text: str, *, is_fixed: bool = False) -> None:
        """Replace all drawings, below a text that says where they come from."""
        self.text.setText(text)
        while (item := self._cells.takeAt(0)) is not None:
            old = not_none(item.widget())
            old.hide()
            old.deleteLater()
        self.boxes = []
        for column, row in enumerate(rows):
            picture = plain_label()
            row.thumbnail.setDevicePixelRatio(self.devicePixelRatioF())
            picture.setPixmap(row.thumbnail)
            box = self._make_box(row)
            box.setVisible(not is_fixed)
            for number, widget in enumerate((picture, ElidedLabel(row.name), box)):
                self._cells.addWidget(widget, number, column)

    def views(self) -> list[str]:
        """Return the view of each drawing."""
        return [str(box.currentData()) for box in self.boxes]

    def _make_box(self, row: DrawingRow) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox(self)
        may_be_narrow(box)
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
