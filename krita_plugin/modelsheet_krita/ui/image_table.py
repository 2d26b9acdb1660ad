"""Table of the training images: a tick, a thumbnail, a caption and remarks for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import tr
from ..image import LAYER_NAME_LENGTH
from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none, plain
from .widgets import IconLoader

Flag = QtCore.Qt.ItemFlag
CAPTION, REMARKS = 0, 1
NAME = QtCore.Qt.ItemDataRole.UserRole


@dataclass(frozen=True)
class ImageRow:
    """One row: `name` is the layer's, shown in grey where the caption is empty."""

    thumbnail: QtGui.QPixmap
    name: str
    caption: str
    size: str
    remarks: Sequence[str]


class CaptionDelegate(QtWidgets.QStyledItemDelegate):
    """Shows the layer's name in grey where there is no caption."""

    def initStyleOption(
        self, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        if option.text:
            return
        option.text = index.data(NAME)
        groups, role = QtGui.QPalette.ColorGroup, QtGui.QPalette.ColorRole.Text
        grey = option.palette.color(groups.Disabled, role)
        option.palette.setColor(QtGui.QPalette.ColorRole.Text, grey)


class RemarkDelegate(QtWidgets.QStyledItemDelegate):
    """Shows remarks with an icon as high as a line of text; they cannot be edited."""

    def createEditor(self, *_: object) -> None:
        return None

    def initStyleOption(
        self, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        side = round(option.fontMetrics.height() * 1.25)
        option.decorationSize = QtCore.QSize(side, side)


class ImageTable(QtWidgets.QTreeWidget):
    """One row per image; the caption can be edited."""

    changed = Signal()

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        em = self.fontMetrics().height()
        self.setObjectName("modelsheet_pictures")
        self.setAccessibleName(tr("Pictures that will be learnt"))
        self.setHeaderLabels([tr("Picture and what it shows"), tr("Warnings")])
        self.setRootIsDecorated(False)
        self.setWordWrap(True)
        self.setIconSize(QtCore.QSize(4 * em, 4 * em))
        self.setColumnWidth(CAPTION, 14 * em)
        self.setMinimumHeight(7 * em)
        trigger = QtWidgets.QAbstractItemView.EditTrigger
        self.setEditTriggers(
            trigger.DoubleClicked | trigger.SelectedClicked | trigger.EditKeyPressed
        )
        self.setItemDelegateForColumn(CAPTION, CaptionDelegate(self))
        self.setItemDelegateForColumn(REMARKS, RemarkDelegate(self))
        self.itemChanged.connect(lambda item, column: self.changed.emit())

    def show_rows(self, rows: Sequence[ImageRow]) -> None:
        """Replace all rows."""
        self.blockSignals(True)
        self.clear()
        for row in rows:
            caption, remarks = row.caption[:LAYER_NAME_LENGTH], " ".join(row.remarks)
            item = QtWidgets.QTreeWidgetItem([caption, remarks])
            item.setData(CAPTION, NAME, row.name[:LAYER_NAME_LENGTH])
            item.setIcon(CAPTION, QtGui.QIcon(row.thumbnail))
            item.setToolTip(CAPTION, plain(f"{row.name}\n{row.size}"))
            item.setToolTip(REMARKS, plain("\n".join(row.remarks)))
            if remarks:
                item.setIcon(REMARKS, self._icon("warning"))
            item.setFlags(
                Flag.ItemIsEnabled
                | Flag.ItemIsSelectable
                | Flag.ItemIsEditable
                | Flag.ItemIsUserCheckable
            )
            item.setCheckState(CAPTION, QtCore.Qt.CheckState.Checked)
            self.addTopLevelItem(item)
        self.blockSignals(False)
        self.changed.emit()

    def count(self) -> int:
        """Return the number of rows."""
        return self.topLevelItemCount()

    def chosen(self) -> list[tuple[int, str]]:
        """Return the numbers of the ticked rows with their captions."""
        items = [not_none(self.topLevelItem(row)) for row in range(self.count())]
        return [
            (row, item.text(CAPTION).strip())
            for row, item in enumerate(items)
            if item.checkState(CAPTION) == QtCore.Qt.CheckState.Checked
        ]
