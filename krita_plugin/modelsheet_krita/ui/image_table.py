"""The pictures that will be learnt: which of them, their captions, and what is wrong with each."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend.api_responses import LAYER_NAME_LENGTH
from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal
from .widgets import IconSource

Flag = QtCore.Qt.ItemFlag
CAPTION, REMARKS = 0, 1


class _Remark(QtWidgets.QStyledItemDelegate):
    """Not the artist's to edit, and its sign is as high as a line of text."""

    def createEditor(self, *_: object) -> None:
        return None

    def initStyleOption(
        self, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> None:
        super().initStyleOption(option, index)
        side = round(option.fontMetrics.height() * 1.25)
        option.decorationSize = QtCore.QSize(side, side)


class PictureTable(QtWidgets.QTreeWidget):
    """A row for each picture: a tick, the picture, its caption to edit, and remarks."""

    changed = Signal()

    def __init__(self, icon: IconSource) -> None:
        super().__init__()
        self._icon = icon
        em = self.fontMetrics().height()
        self.setObjectName("modelsheet_pictures")
        self.setAccessibleName(tr("Pictures that will be learnt"))
        self.setHeaderLabels([tr("Picture and what it shows"), tr("Look at")])
        self.setRootIsDecorated(False)
        self.setWordWrap(True)
        self.setIconSize(QtCore.QSize(4 * em, 4 * em))
        self.setColumnWidth(CAPTION, 14 * em)
        self.setMinimumHeight(10 * em)
        trigger = QtWidgets.QAbstractItemView.EditTrigger
        self.setEditTriggers(
            trigger.DoubleClicked | trigger.SelectedClicked | trigger.EditKeyPressed
        )
        self.setItemDelegateForColumn(REMARKS, _Remark(self))
        self.itemChanged.connect(lambda item, column: self.changed.emit())

    def show_pictures(self, rows: Sequence[tuple[QtGui.QPixmap, str, str, Sequence[str]]]) -> None:
        """`rows`: picture, caption, size in words, remarks."""
        self.blockSignals(True)
        self.clear()
        for picture, caption, size, remarks in rows:
            item = QtWidgets.QTreeWidgetItem([caption[:LAYER_NAME_LENGTH], " ".join(remarks)])
            item.setIcon(CAPTION, QtGui.QIcon(picture))
            item.setToolTip(CAPTION, f"{caption}\n{size}")
            item.setToolTip(REMARKS, "\n".join(remarks))
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
        return self.topLevelItemCount()

    def chosen(self) -> list[tuple[int, str]]:
        """The numbers of the ticked rows with their captions."""
        items = [self.topLevelItem(row) for row in range(self.count())]
        return [
            (row, item.text(CAPTION).strip())
            for row, item in enumerate(items)
            if item.checkState(CAPTION) == QtCore.Qt.CheckState.Checked
        ]
