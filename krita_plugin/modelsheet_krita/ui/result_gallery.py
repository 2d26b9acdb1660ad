"""The thumbnails of results: newest first, under their prompts, chosen by clicking."""

from __future__ import annotations

from typing import Any

from ..qt import QtCore, QtGui, QtWidgets, Signal, flags
from .widgets import ExplainedList, accent

KEY = QtCore.Qt.ItemDataRole.UserRole
GROUP = QtCore.Qt.ItemDataRole.UserRole + 1
DEEDS = (QtCore.Qt.Key.Key_Delete, QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter)
LOOK_MS = 200  # how long a large picture may stay when the mouse has gone unnoticed
WAYS = {QtCore.Qt.Key.Key_Left: -1, QtCore.Qt.Key.Key_Right: 1}
NO_FLAG = QtCore.Qt.ItemFlag.NoItemFlags


class Gallery(ExplainedList):
    """Shows pictures under the keys it is given, in groups with a headline each."""

    pointed_at = Signal(object)  # a key, or None
    key_pressed = Signal(int)  # Delete, Return or Enter

    def __init__(self, explanation: str) -> None:
        super().__init__(explanation)
        em = self.fontMetrics().height()
        self.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.setMovement(QtWidgets.QListView.Movement.Static)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setItemDelegate(ThumbnailDelegate(self))
        self.setMouseTracking(True)
        self.setIconSize(QtCore.QSize(5 * em, 5 * em))
        self.setSpacing(em // 8)
        self.setMinimumHeight(8 * em)
        self.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        self.itemEntered.connect(self._on_entered)
        # A menu, a dialog or a docker that scrolls takes the mouse away without a word.
        self._look = QtCore.QTimer(self)
        self._look.setInterval(LOOK_MS)
        self._look.timeout.connect(self._on_look)
        self.currentItemChanged.connect(self._on_current)

    def open_group(self, group: Any, title: str) -> None:
        """Put a headline on top, if the group has none yet."""
        if self._headline(group) is not None:
            return
        item = QtWidgets.QListWidgetItem(title)
        item.setData(GROUP, group)
        item.setToolTip(title)
        item.setFlags(NO_FLAG)
        item.setSizeHint(self._headline_size())
        self.insertItem(0, item)

    def add(self, key: Any, group: Any, picture: QtGui.QPixmap, tooltip: str) -> None:
        """Put the picture at the end of its group."""
        item = QtWidgets.QListWidgetItem(QtGui.QIcon(picture), "")
        item.setData(KEY, key)
        item.setData(GROUP, group)
        item.setToolTip(tooltip)
        item.setData(QtCore.Qt.ItemDataRole.AccessibleTextRole, tooltip)
        self.insertItem(max(row for row in self._rows(group)) + 1, item)

    def discard(self, keys: list[Any]) -> None:
        for item in [one for one in self.pictures() if one.data(KEY) in keys]:
            group = item.data(GROUP)
            self.takeItem(self.row(item))
            rows = self._rows(group)
            if len(rows) == 1:
                self.takeItem(rows[0])

    def pictures(self) -> list[QtWidgets.QListWidgetItem]:
        """The items that are pictures, in the order shown."""
        items = [self.item(row) for row in range(self.count())]
        return [item for item in items if item.data(KEY) is not None]

    def choose(self, group: Any) -> None:
        """Select a whole group."""
        self.clearSelection()
        for item in self.pictures():
            item.setSelected(item.data(GROUP) == group)
        self.scrollToTop()

    def choose_only(self, keys: list[Any]) -> None:
        """Select these pictures and no other."""
        for item in self.pictures():
            item.setSelected(item.data(KEY) in keys)

    def step(self, by: int) -> None:
        """Select the next picture, or with -1 the previous one."""
        pictures = self.pictures()
        if not pictures:
            return
        chosen = [place for place, item in enumerate(pictures) if item.isSelected()]
        place = ((chosen[0] if chosen else -1) + by) % len(pictures)
        self.setCurrentItem(pictures[place])
        self.clearSelection()
        pictures[place].setSelected(True)

    def chosen(self) -> list[Any]:
        """The keys of the selected pictures, in the order shown."""
        return [item.data(KEY) for item in self.pictures() if item.isSelected()]

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        for row in range(self.count()):
            if self.item(row).data(KEY) is None:
                self.item(row).setSizeHint(self._headline_size())

    def event(self, event: QtCore.QEvent) -> bool:
        # Krita's shortcuts would take these keys away.
        if event.type() == QtCore.QEvent.Type.ShortcutOverride and event.key() in (*DEEDS, *WAYS):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if event.key() in DEEDS:
            self.key_pressed.emit(event.key())
        elif event.key() in WAYS:
            self.step(WAYS[event.key()])
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        super().leaveEvent(event)
        self._point_away()

    def _on_entered(self, item: QtWidgets.QListWidgetItem) -> None:
        self.pointed_at.emit(item.data(KEY))
        self._look.start()

    def _on_look(self) -> None:
        if QtWidgets.QApplication.activePopupWidget() is not None or not self._has_mouse():
            self._point_away()

    def _has_mouse(self) -> bool:
        place = QtGui.QCursor.pos()
        below = QtWidgets.QApplication.widgetAt(place)
        return below is not None and (below is self or self.isAncestorOf(below))

    def _point_away(self) -> None:
        self._look.stop()
        self.pointed_at.emit(None)

    def _on_current(self, item: QtWidgets.QListWidgetItem | None) -> None:
        if item is not None and item.data(KEY) is None:
            self.pointed_at.emit(None)

    def _headline(self, group: Any) -> int | None:
        rows = self._rows(group)
        return rows[0] if rows else None

    def _rows(self, group: Any) -> list[int]:
        return [row for row in range(self.count()) if self.item(row).data(GROUP) == group]

    def _headline_size(self) -> QtCore.QSize:
        # A row of its own: as wide as the view, without what the spacing adds around it.
        width = self.viewport().width() - 4 * self.spacing() - 2
        return QtCore.QSize(max(1, width), round(self.fontMetrics().height() * 1.3))


class ThumbnailDelegate(QtWidgets.QStyledItemDelegate):
    """Draws a picture alone, framed when it is chosen: a tint over it would falsify its colours."""

    def sizeHint(
        self, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> QtCore.QSize:
        fixed = index.data(QtCore.Qt.ItemDataRole.SizeHintRole)
        if fixed is not None:
            return fixed
        frame = 2 * _frame_width(option)
        return option.decorationSize + QtCore.QSize(2 * frame, 2 * frame)

    def paint(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        index: QtCore.QModelIndex,
    ) -> None:
        if index.data(KEY) is None:
            self._paint_headline(painter, option, index)
            return
        frame = _frame_width(option)
        state = QtWidgets.QStyle.StateFlag
        if option.state & state.State_Selected:
            painter.fillRect(option.rect, accent(option.palette))
        elif option.state & state.State_MouseOver:
            painter.fillRect(option.rect, option.palette.mid())
        inside = option.rect.adjusted(frame, frame, -frame, -frame)
        index.data(QtCore.Qt.ItemDataRole.DecorationRole).paint(painter, inside)

    def _paint_headline(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        index: QtCore.QModelIndex,
    ) -> None:
        mode = QtCore.Qt.TextElideMode.ElideRight
        title = index.data(QtCore.Qt.ItemDataRole.DisplayRole)
        shown = option.fontMetrics.elidedText(title, mode, option.rect.width())
        painter.setPen(option.palette.color(QtGui.QPalette.ColorRole.Text))
        painter.drawText(option.rect, flags(QtCore.Qt.AlignmentFlag.AlignBottom), shown)


def _frame_width(option: QtWidgets.QStyleOptionViewItem) -> int:
    return max(3, option.fontMetrics.height() // 5)
