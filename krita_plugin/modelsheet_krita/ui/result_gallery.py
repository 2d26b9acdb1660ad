"""Gallery of results: thumbnails under their prompts, the newest group first."""

from __future__ import annotations

from ..qt import QtCore, QtGui, QtWidgets, Signal, flags, not_none
from .parts.colours import accent
from .widgets import FullHeightList

KEY = QtCore.Qt.ItemDataRole.UserRole
GROUP = QtCore.Qt.ItemDataRole.UserRole + 1
ACTION_KEYS = (QtCore.Qt.Key.Key_Delete, QtCore.Qt.Key.Key_Return, QtCore.Qt.Key.Key_Enter)
MOUSE_CHECK_MS = 200  # longest time that the popup stays after the mouse has left
STEP_KEYS: dict[int, int] = {QtCore.Qt.Key.Key_Left: -1, QtCore.Qt.Key.Key_Right: 1}
EMPTY_LINES = 4
NO_FLAG = QtCore.Qt.ItemFlag.NoItemFlags


class ResultGallery(FullHeightList):
    """Shows thumbnails, each under a key, in groups with a headline each."""

    pointed_at = Signal(object)  # a key, or None
    key_pressed = Signal(int)  # Delete, Return or Enter
    group_chosen = Signal(str)  # its title

    def __init__(self, explanation: str) -> None:
        super().__init__(explanation, EMPTY_LINES)
        em = self.fontMetrics().height()
        self.setViewMode(QtWidgets.QListView.ViewMode.IconMode)
        self.setResizeMode(QtWidgets.QListView.ResizeMode.Adjust)
        self.setMovement(QtWidgets.QListView.Movement.Static)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setItemDelegate(ThumbnailDelegate(self))
        self.setMouseTracking(True)
        self.setIconSize(QtCore.QSize(5 * em, 5 * em))
        self.setSpacing(em // 8)
        self.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        self.itemEntered.connect(self._on_entered)
        # A menu, a dialog or a docker that scrolls takes the mouse away without an event.
        self._mouse_timer = QtCore.QTimer(self)
        self._mouse_timer.setInterval(MOUSE_CHECK_MS)
        self._mouse_timer.timeout.connect(self._check_mouse)
        self.currentItemChanged.connect(self._on_current)

    def add_group(self, group: str, title: str) -> None:
        """Add a group on top with its headline, unless it exists."""
        if self._headline(group) is not None:
            return
        item = QtWidgets.QListWidgetItem(title)
        item.setData(GROUP, group)
        item.setToolTip(title)
        item.setFlags(NO_FLAG)
        item.setSizeHint(self._headline_size())
        self.insertItem(0, item)

    def add(self, key: int, group: str, pixmap: QtGui.QPixmap, tooltip: str) -> None:
        """Add a thumbnail at the end of its group."""
        item = QtWidgets.QListWidgetItem(QtGui.QIcon(pixmap), "")
        item.setData(KEY, key)
        item.setData(GROUP, group)
        # No tooltip: the popup beside the docker says the same under the large picture.
        item.setData(QtCore.Qt.ItemDataRole.AccessibleTextRole, tooltip)
        self.insertItem(max(row for row in self._rows(group)) + 1, item)

    def discard(self, keys: list[int]) -> None:
        """Remove thumbnails, and groups that become empty."""
        for item in [one for one in self.images() if one.data(KEY) in keys]:
            group = item.data(GROUP)
            self.takeItem(self.row(item))
            rows = self._rows(group)
            if len(rows) == 1:
                self.takeItem(rows[0])

    def images(self) -> list[QtWidgets.QListWidgetItem]:
        """Return the items with a thumbnail, in the order shown."""
        return [item for item in self._items() if item.data(KEY) is not None]

    def choose(self, group: str) -> None:
        """Select a whole group."""
        self.clearSelection()
        for item in self.images():
            item.setSelected(item.data(GROUP) == group)
        title = next((item.text() for item in self._items() if item.data(GROUP) == group), "")
        self.group_chosen.emit(title)
        QtCore.QTimer.singleShot(0, lambda: self._reveal_group(group))  # once it is laid out

    def choose_only(self, keys: list[int]) -> None:
        """Select the thumbnails with these keys and no other."""
        for item in self.images():
            item.setSelected(item.data(KEY) in keys)

    def step(self, by: int) -> None:
        """Select the next thumbnail, or with -1 the previous one."""
        images = self.images()
        if not images:
            return
        chosen = [index for index, item in enumerate(images) if item.isSelected()]
        index = ((chosen[0] if chosen else -1) + by) % len(images)
        self.setCurrentItem(images[index])
        self.clearSelection()
        images[index].setSelected(True)

    def chosen(self) -> list[int]:
        """Return the keys of the selected thumbnails, in the order shown."""
        return [item.data(KEY) for item in self.images() if item.isSelected()]

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        for item in self._items():
            if item.data(KEY) is None:
                item.setSizeHint(self._headline_size())

    def event(self, event: QtCore.QEvent) -> bool:
        # Krita's shortcuts would take these keys away.
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            assert isinstance(event, QtGui.QKeyEvent)
            if event.key() in (*ACTION_KEYS, *STEP_KEYS):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if event.key() in ACTION_KEYS:
            self.key_pressed.emit(event.key())
        elif event.key() in STEP_KEYS:
            self.step(STEP_KEYS[event.key()])
        else:
            super().keyPressEvent(event)

    def leaveEvent(self, event: QtCore.QEvent) -> None:
        super().leaveEvent(event)
        self._end_pointing()

    def _on_entered(self, item: QtWidgets.QListWidgetItem) -> None:
        self.pointed_at.emit(item.data(KEY))
        self._mouse_timer.start()

    def _check_mouse(self) -> None:
        if QtWidgets.QApplication.activePopupWidget() is not None or not self._has_mouse():
            self._end_pointing()

    def _has_mouse(self) -> bool:
        position = QtGui.QCursor.pos()
        below = QtWidgets.QApplication.widgetAt(position)
        return below is not None and (below is self or self.isAncestorOf(below))

    def _end_pointing(self) -> None:
        self._mouse_timer.stop()
        self.pointed_at.emit(None)

    def _on_current(self, item: QtWidgets.QListWidgetItem | None) -> None:
        if item is not None and item.data(KEY) is None:
            self.pointed_at.emit(None)

    def _reveal_group(self, group: str) -> None:
        """Ask for the group's headline and first picture to be scrolled to."""
        self.executeDelayedItemsLayout()
        part = QtCore.QRect()
        for row in self._rows(group)[:2]:
            part = part.united(self.visualItemRect(not_none(self.item(row))))
        self.reveal(part)

    def _headline(self, group: str) -> int | None:
        rows = self._rows(group)
        return rows[0] if rows else None

    def _rows(self, group: str) -> list[int]:
        return [row for row, item in enumerate(self._items()) if item.data(GROUP) == group]

    def _items(self) -> list[QtWidgets.QListWidgetItem]:
        return [not_none(self.item(row)) for row in range(self.count())]

    def _headline_size(self) -> QtCore.QSize:
        # A row of its own: as wide as the view, without what the spacing adds around it.
        width = not_none(self.viewport()).width() - 4 * self.spacing() - 2
        return QtCore.QSize(max(1, width), round(self.fontMetrics().height() * 1.3))


class ThumbnailDelegate(QtWidgets.QStyledItemDelegate):
    """Paints a thumbnail, with a border when it is selected: a tint would falsify its colours."""

    def sizeHint(
        self, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> QtCore.QSize:
        fixed: QtCore.QSize | None = index.data(QtCore.Qt.ItemDataRole.SizeHintRole)
        if fixed is not None:
            return fixed
        border = 2 * _border_width(option)
        return option.decorationSize + QtCore.QSize(2 * border, 2 * border)

    def paint(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        index: QtCore.QModelIndex,
    ) -> None:
        if index.data(KEY) is None:
            self._paint_headline(painter, option, index)
            return
        border = _border_width(option)
        state = QtWidgets.QStyle.StateFlag
        if option.state & state.State_Selected:
            painter.fillRect(option.rect, accent(option.palette))
        elif option.state & state.State_MouseOver:
            painter.fillRect(option.rect, option.palette.mid())
        inside = option.rect.adjusted(border, border, -border, -border)
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


def _border_width(option: QtWidgets.QStyleOptionViewItem) -> int:
    return max(3, option.fontMetrics.height() // 5)
