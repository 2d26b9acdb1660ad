"""Gallery of results: thumbnails under their prompts, the newest group first, and its header."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial

from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal, flags, not_none, plain
from .parts.colours import accent
from .widgets import FullHeightList, IconLoader, Policy, add_action, heading, tool_button

KEY = QtCore.Qt.ItemDataRole.UserRole
GROUP = QtCore.Qt.ItemDataRole.UserRole + 1
CREATED = QtCore.Qt.ItemDataRole.UserRole + 2  # of a headline
STARRED = QtCore.Qt.ItemDataRole.UserRole + 3
STAR = "★"
STAR_COLOUR = QtGui.QColor(255, 200, 0)
ACTION_KEYS = (
    QtCore.Qt.Key.Key_Delete,
    QtCore.Qt.Key.Key_Return,
    QtCore.Qt.Key.Key_Enter,
    QtCore.Qt.Key.Key_S,
)
MOUSE_CHECK_MS = 200  # longest time that the popup stays after the mouse has left
STEP_KEYS: dict[int, int] = {QtCore.Qt.Key.Key_Left: -1, QtCore.Qt.Key.Key_Right: 1}
EMPTY_LINES = 4
NO_FLAG = QtCore.Qt.ItemFlag.NoItemFlags


class ResultGallery(FullHeightList):
    """Shows thumbnails, each under a key, in groups with a headline each."""

    pointed_at = Signal(object)  # a key, or None
    key_pressed = Signal(int)  # one of ACTION_KEYS
    undo_wanted = Signal()
    group_chosen = Signal(str)  # its title

    def __init__(self, explanation: str) -> None:
        super().__init__(explanation, EMPTY_LINES)
        self._chosen_group = ""
        self.takes_undo = False  # Ctrl+Z is the gallery's: it was changed last
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

    def add_group(self, group: str, title: str, created: float) -> None:
        """Add a group with its headline before all older ones, unless it exists."""
        if self._headline(group) is not None:
            return
        item = QtWidgets.QListWidgetItem(title)
        item.setData(GROUP, group)
        item.setData(CREATED, created)
        item.setToolTip(plain(title))
        item.setFlags(NO_FLAG)
        item.setSizeHint(self._headline_size())
        older = (row for row, one in enumerate(self._items()) if _is_older(one, created))
        self.insertItem(next(older, self.count()), item)

    def add(self, key: int, group: str, pixmap: QtGui.QPixmap, tooltip: str) -> None:
        """Add a thumbnail to its group, where the keys ascend."""
        item = QtWidgets.QListWidgetItem(QtGui.QIcon(pixmap), "")
        item.setData(KEY, key)
        item.setData(GROUP, group)
        # No tooltip: the popup beside the docker says the same under the large picture.
        item.setData(QtCore.Qt.ItemDataRole.AccessibleTextRole, tooltip)
        headline, *images = self._rows(group)
        before = [row for row in images if not_none(self.item(row)).data(KEY) < key]
        self.insertItem((before[-1] if before else headline) + 1, item)

    def discard(self, keys: list[int], *, select_next: bool = False) -> None:
        """Remove thumbnails, and groups that become empty."""
        shown = self.images()
        removed = [item for item in self._items() if item.data(KEY) in keys]
        place = next((n for n, item in enumerate(shown) if item in removed), 0)
        for item in removed:
            group = item.data(GROUP)
            self.takeItem(self.row(item))
            rows = self._rows(group)
            if len(rows) == 1:
                self.takeItem(rows[0])
        if select_next and (left := self.images()):
            left[min(place, len(left) - 1)].setSelected(True)

    def show_only(self, keys: Iterable[int]) -> None:
        """Hide all other thumbnails, and the headlines of groups without any."""
        shown = set(keys)
        groups = set()
        for item in self._items():
            if item.data(KEY) in shown:
                groups.add(item.data(GROUP))
            if item.data(KEY) is not None:
                item.setHidden(item.data(KEY) not in shown)
                if item.isHidden():
                    item.setSelected(False)
        for item in self._items():
            if item.data(KEY) is None:
                item.setHidden(item.data(GROUP) not in groups)
        not_none(self.viewport()).update()

    def explain(self, sentence: str) -> None:
        """Show this sentence while there is nothing else to be seen."""
        self._explanation = sentence
        not_none(self.viewport()).update()

    def show_stars(self, keys: Sequence[int], is_starred: bool) -> None:
        """Draw a star on these thumbnails, or none."""
        for item in self._items():
            if item.data(KEY) in keys and item.data(KEY) is not None:
                item.setData(STARRED, is_starred)

    def shown(self) -> list[int]:
        """Return the keys of the thumbnails that are not hidden, in their order."""
        return [item.data(KEY) for item in self.images()]

    def is_empty(self) -> bool:
        return not self.images()

    def images(self) -> list[QtWidgets.QListWidgetItem]:
        """Return the items with a thumbnail that is not hidden, in the order shown."""
        items = self._items()
        return [one for one in items if one.data(KEY) is not None and not one.isHidden()]

    def choose(self, group: str) -> None:
        """Select a whole group."""
        self.clearSelection()
        for item in self.images():
            item.setSelected(item.data(GROUP) == group)
        title = next((item.text() for item in self._items() if item.data(GROUP) == group), "")
        self.group_chosen.emit(title)
        self._chosen_group = group
        QtCore.QTimer.singleShot(0, self._reveal_chosen_group)  # once it is laid out

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
            is_escape = event.key() == QtCore.Qt.Key.Key_Escape and bool(self.chosen())
            if event.key() in (*ACTION_KEYS, *STEP_KEYS) or is_escape or self._is_undo(event):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if self._is_undo(event):
            self.undo_wanted.emit()
        elif event.key() in ACTION_KEYS:
            self.key_pressed.emit(event.key())
        elif event.key() == QtCore.Qt.Key.Key_Escape and self.chosen():
            self.clearSelection()
        elif event.key() in STEP_KEYS:
            self.step(STEP_KEYS[event.key()])
        else:
            super().keyPressEvent(event)

    def _is_undo(self, event: QtGui.QKeyEvent) -> bool:
        return self.takes_undo and event.matches(QtGui.QKeySequence.StandardKey.Undo)

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

    def _reveal_chosen_group(self) -> None:
        """Ask for the chosen group's headline and first picture to be scrolled to."""
        self.executeDelayedItemsLayout()
        part = QtCore.QRect()
        for row in self._rows(self._chosen_group)[:2]:
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
        if index.data(STARRED):
            _paint_star(painter, option, inside)

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


class ResultsHeader(QtWidgets.QWidget):
    """Heading of the gallery: search, stars only, of which documents, clear."""

    changed = Signal()  # the search or the stars
    scope_changed = Signal(bool)  # True: the results of all documents
    clear_wanted = Signal()

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self.shows_all = False
        self.search = QtWidgets.QLineEdit()
        self.search.setObjectName("modelsheet_search")
        self.search.setAccessibleName(tr("Search the results"))
        self.search.setPlaceholderText(tr("Search"))
        self.search.setToolTip(tr("Words of the prompt, or a seed"))
        self.search.setClearButtonEnabled(True)
        self.search.setMinimumWidth(0)
        self.search.setSizePolicy(Policy.Ignored, Policy.Fixed)
        self.search.textChanged.connect(self.changed)
        self.starred = QtWidgets.QToolButton()
        self.starred.setObjectName("modelsheet_starred")
        self.starred.setText(STAR)
        self.starred.setAutoRaise(True)
        self.starred.setCheckable(True)
        self.starred.setToolTip(tr("Show only results with a star"))
        self.starred.setAccessibleName(tr("Show only results with a star"))
        self.starred.toggled.connect(self.changed)
        self.menu = tool_button(icon, "view-list-details", tr("Which results are shown"))
        self.menu.setObjectName("modelsheet_which_results")
        self.menu.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self.menu.setMenu(self._make_menu())
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        for widget in (heading(tr("Results")), self.search, self.starred, self.menu):
            row.addWidget(widget, int(widget is self.search))

    def _make_menu(self) -> QtWidgets.QMenu:
        menu = QtWidgets.QMenu(self)
        self.scopes = {}
        for shows_all, text in ((False, tr("Of This Document")), (True, tr("Of All Documents"))):
            action = add_action(menu, text, partial(self._on_scope, shows_all))
            action.setCheckable(True)
            self.scopes[shows_all] = action
        menu.addSeparator()
        add_action(menu, tr("Remove All without a Star"), self.clear_wanted.emit)
        return menu

    def show_scope(self, shows_all: bool) -> None:
        """Show whose results are shown."""
        self.shows_all = shows_all
        for scope, action in self.scopes.items():
            action.setChecked(scope == shows_all)

    def reset_search(self) -> None:
        """Search for nothing, so that all can be seen."""
        self.search.clear()
        self.starred.setChecked(False)

    def _on_scope(self, shows_all: bool) -> None:
        self.show_scope(shows_all)
        self.scope_changed.emit(shows_all)


def _is_older(item: QtWidgets.QListWidgetItem, created: float) -> bool:
    known = item.data(CREATED)
    return known is not None and known < created


def _paint_star(
    painter: QtGui.QPainter, option: QtWidgets.QStyleOptionViewItem, area: QtCore.QRect
) -> None:
    """Paint a star into the upper right corner, dark around it to be seen on any picture."""
    path, font = QtGui.QPainterPath(), QtGui.QFont(option.font)
    font.setBold(True)
    side = option.fontMetrics.height()
    path.addText(area.right() - side, area.top() + side, font, STAR)
    painter.save()
    painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
    painter.strokePath(path, QtGui.QPen(QtCore.Qt.GlobalColor.black, 2))
    painter.fillPath(path, STAR_COLOUR)
    painter.restore()


def _border_width(option: QtWidgets.QStyleOptionViewItem) -> int:
    return max(3, option.fontMetrics.height() // 5)
