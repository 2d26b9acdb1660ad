"""List of subjects in the docker: thumbnails, facts, and a menu for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Callable

from ..i18n import tr, trn
from ..qt import QtCore, QtGui, QtWidgets, Signal, flags, not_none, plain
from .parts.elided import ElidedToolButton, fit_parts
from .widgets import FoldButton, FullHeightList, IconLoader, add_action, push_button, tool_button

SUBJECT = QtCore.Qt.ItemDataRole.UserRole
Role = QtCore.Qt.ItemDataRole
MOST_ROWS = 3  # until the artist asks for all
EMPTY_LINES = 5


@dataclass(frozen=True)
class SubjectRow:
    """One row of the list."""

    subject_id: str
    handle: str
    text: str
    tooltip: str
    thumbnail: QtGui.QPixmap | None
    is_learnt: bool = True


class SubjectListWidget(QtWidgets.QWidget):
    """Shows the subjects; its signals say what the artist wants with one."""

    learn_wanted = Signal()
    sheet_wanted = Signal()  # of the selected layers
    mentioned = Signal(str)  # handle
    written = Signal(str)  # text to insert into the prompt
    discard_wanted = Signal(str)  # subject id, as below
    relearn_wanted = Signal(str)
    subject_sheet_wanted = Signal(str)
    report_wanted = Signal(str)
    rename_wanted = Signal(str)
    export_wanted = Signal(str)
    embed_wanted = Signal(str)  # in the document in front, or remove it there
    import_wanted = Signal()

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        self.is_embedded: Callable[[str], bool] = lambda subject_id: False
        em = self.fontMetrics().height()
        self._make_items(em)
        self._make_buttons()
        self._is_all = False
        self._is_chosen = False  # by the artist, whether it is folded
        self._is_folding = False  # unless the artist decides
        self.inside = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.learn, 1)
        row.addWidget(self.import_button)
        inside = QtWidgets.QVBoxLayout(self.inside)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(em // 3)
        inside.addWidget(self.items)
        inside.addWidget(self.more)
        inside.addLayout(row)
        inside.addWidget(self.sheet)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(em // 3)
        layout.addWidget(self.fold)
        layout.addWidget(self.inside)
        self._on_folded(True)
        self._show_more()

    def _make_items(self, em: int) -> None:
        self.items = FullHeightList(
            tr(
                "No subjects yet.\nSelect the layers that show one character and press the button "
                "below."
            ),
            EMPTY_LINES,
        )
        self.items.setObjectName("modelsheet_subjects")
        self.items.setAccessibleName(tr("Subjects"))
        self.items.setIconSize(QtCore.QSize(3 * em, 3 * em))
        self.items.setItemDelegate(SubjectDelegate(self.items))
        self.items.setContextMenuPolicy(QtCore.Qt.ContextMenuPolicy.CustomContextMenu)
        self.items.customContextMenuRequested.connect(self._on_menu)
        self.items.itemClicked.connect(lambda item: self.mentioned.emit(item.data(SUBJECT)[1]))
        self.items.itemActivated.connect(self._on_activated)
        self.items.installEventFilter(self)

    def _make_buttons(self) -> None:
        self.fold = FoldButton("modelsheet_fold_subjects", tr("Show or hide your subjects"))
        self.fold.setChecked(True)
        font = self.fold.font()
        font.setBold(True)
        self.fold.setFont(font)
        self.fold.toggled.connect(self._on_folded)
        self.fold.clicked.connect(self._on_chosen)
        self.more = ElidedToolButton()
        self.more.setObjectName("modelsheet_more_subjects")
        self.more.setAutoRaise(True)
        self.more.setToolTip(tr("Show all your subjects, or the first ones"))
        self.more.clicked.connect(self._on_more)
        text = tr("Learn from Layers…")
        self.learn = push_button(self._icon, "addlayer", text, "modelsheet_learn")
        self.learn.setToolTip(tr("Learn the character that the selected layers show"))
        self.learn.clicked.connect(self.learn_wanted)
        self.sheet = push_button(
            self._icon, "animation_play", tr("Model Sheet…"), "modelsheet_sheet"
        )
        self.sheet.setToolTip(
            tr("Draw other views and animations of the character that the selected layers show")
        )
        self.sheet.clicked.connect(self.sheet_wanted)
        self.import_button = tool_button(
            self._icon, "document-import", tr("Import a LoRA or a subject from a file…")
        )
        self.import_button.setObjectName("modelsheet_import")
        self.import_button.clicked.connect(self.import_wanted)

    def show_rows(self, rows: Sequence[SubjectRow]) -> None:
        """Replace all rows."""
        self.items.clear()
        for row in rows:
            item = QtWidgets.QListWidgetItem(row.text)
            item.setData(SUBJECT, (row.subject_id, row.handle, row.is_learnt))
            item.setToolTip(plain(row.tooltip))
            if row.thumbnail is not None:
                item.setIcon(QtGui.QIcon(row.thumbnail))
            self.items.addItem(item)
        self._show_more()
        self.prefer_folded(self._is_folding)
        self._on_folded(self.fold.isChecked())

    def prefer_folded(self, is_folded: bool) -> None:
        """Fold the list where there is little room, until the artist decides; never an empty one.

        A folded list names its subjects in one line.
        """
        self._is_folding = is_folded
        if not self._is_chosen:
            self.fold.setChecked(not (is_folded and self.items.count()))

    def _on_chosen(self) -> None:
        self._is_chosen = True

    def _on_folded(self, is_open: bool) -> None:
        self.inside.setVisible(is_open)
        names = ", ".join(f"@{self._data(row)[1]}" for row in range(self.items.count()))
        is_named = names and not is_open
        self.fold.setText(tr("Subjects: {names}", names=names) if is_named else tr("Subjects"))

    def _on_more(self) -> None:
        self._is_all = not self._is_all
        self._show_more()

    def _show_more(self) -> None:
        """Show the first subjects, or all where the artist asked for them."""
        count = self.items.count()
        for row in range(count):
            self.items.setRowHidden(row, row >= MOST_ROWS and not self._is_all)
        self.more.setVisible(count > MOST_ROWS)
        rest = count - MOST_ROWS
        self.more.setText(
            tr("Fewer subjects")
            if self._is_all
            else trn("{count} more subject", "{count} more subjects", rest)
        )

    def _data(self, row: int) -> tuple[str, str, bool]:
        """Return id and handle of the subject in a row, and if it is learnt."""
        data: tuple[str, str, bool] = not_none(self.items.item(row)).data(SUBJECT)
        return data

    def menu_of(self, subject_id: str, handle: str, is_learnt: bool = True) -> QtWidgets.QMenu:
        """Make the menu of one subject."""
        menu = QtWidgets.QMenu(self)
        menu.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        embed = (
            tr("Remove from This Document")
            if self.is_embedded(subject_id)
            else tr("Embed in This Document…")
        )
        learn = tr("Learn Again with the Selected Layers…") if is_learnt else tr("Learn…")
        for icon_name, text, signal in (
            ("document-properties", tr("References and Report…"), self.report_wanted),
            ("addlayer", learn, self.relearn_wanted),
            ("animation_play", tr("Model Sheet…"), self.subject_sheet_wanted),
            ("edit-rename", tr("Rename…"), self.rename_wanted),
            ("document-export", tr("Export…"), self.export_wanted),
            ("folder", embed, self.embed_wanted),
            ("edit-delete", tr("Move @{word} to the Trash", word=handle), self.discard_wanted),
        ):
            action = add_action(menu, text, partial(signal.emit, subject_id))
            action.setIcon(self._icon(icon_name))
        return menu

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        """Rename with F2, discard with Delete, and insert letters into the prompt.

        Krita's own shortcuts would take these keys.
        """
        kinds = QtCore.QEvent.Type
        if event.type() not in (kinds.ShortcutOverride, kinds.KeyPress):
            return False
        assert isinstance(event, QtGui.QKeyEvent)
        selected = self.items.selectedItems()
        if not selected:
            return False
        subject_id = selected[0].data(SUBJECT)[0]
        if event.key() == QtCore.Qt.Key.Key_F2:
            emit = partial(self.rename_wanted.emit, subject_id)
        elif event.key() == QtCore.Qt.Key.Key_Delete:
            emit = partial(self.discard_wanted.emit, subject_id)
        elif _is_text(event):
            emit = partial(self.written.emit, event.text())
        else:
            return False
        if event.type() == kinds.KeyPress:
            emit()
        event.accept()
        return True

    def _on_activated(self, item: QtWidgets.QListWidgetItem) -> None:
        self.mentioned.emit(item.data(SUBJECT)[1])
        self.written.emit("")

    def _on_menu(self, position: QtCore.QPoint) -> None:
        item = self.items.itemAt(position)
        if item is not None:
            menu = self.menu_of(*item.data(SUBJECT))
            menu.popup(not_none(self.items.viewport()).mapToGlobal(position))


class SubjectDelegate(QtWidgets.QStyledItemDelegate):
    """Paints thumbnail, name and facts, each line elided where the list ends."""

    def sizeHint(
        self, option: QtWidgets.QStyleOptionViewItem, index: QtCore.QModelIndex
    ) -> QtCore.QSize:
        margin = _margin(option)
        lines = len(index.data(Role.DisplayRole).splitlines()) * option.fontMetrics.height()
        # As wide as the list, however long the name.
        return QtCore.QSize(0, max(option.decorationSize.height(), lines) + margin)

    def paint(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        index: QtCore.QModelIndex,
    ) -> None:
        self._paint_background(painter, option)
        margin, side = _margin(option), option.decorationSize
        inside = option.rect.adjusted(margin, margin // 2, -margin, -margin // 2)
        thumbnail = index.data(Role.DecorationRole)
        if thumbnail is not None:
            thumbnail.paint(painter, QtCore.QRect(inside.topLeft(), side))
        painter.save()
        state = QtWidgets.QStyle.StateFlag.State_Selected
        roles = QtGui.QPalette.ColorRole
        role = roles.HighlightedText if option.state & state else roles.Text
        painter.setPen(option.palette.color(role))
        self._paint_lines(painter, option, inside.adjusted(side.width() + margin, 0, 0, 0), index)
        painter.restore()

    def _paint_background(
        self, painter: QtGui.QPainter, option: QtWidgets.QStyleOptionViewItem
    ) -> None:
        panel = QtWidgets.QStyle.PrimitiveElement.PE_PanelItemViewItem
        not_none(option.widget.style()).drawPrimitive(panel, option, painter, option.widget)

    def _paint_lines(
        self,
        painter: QtGui.QPainter,
        option: QtWidgets.QStyleOptionViewItem,
        area: QtCore.QRect,
        index: QtCore.QModelIndex,
    ) -> None:
        lines = index.data(Role.DisplayRole).splitlines()
        height = option.fontMetrics.height()
        top = area.top() + max(0, (area.height() - len(lines) * height) // 2)
        font = QtGui.QFont(option.font)
        for number, line in enumerate(lines):
            font.setBold(number == 0)
            painter.setFont(font)
            metrics = QtGui.QFontMetrics(font)
            shown = fit_parts(line, metrics, area.width(), keep_last=False)
            row = QtCore.QRect(area.left(), top + number * height, area.width(), height)
            painter.drawText(row, flags(QtCore.Qt.AlignmentFlag.AlignVCenter), shown)


def _is_text(event: QtGui.QKeyEvent) -> bool:
    modifiers = QtCore.Qt.KeyboardModifier
    held = event.modifiers() & ~(modifiers.ShiftModifier | modifiers.KeypadModifier)
    return bool(event.text()) and event.text().isprintable() and held == modifiers.NoModifier


def _margin(option: QtWidgets.QStyleOptionViewItem) -> int:
    return max(2, option.fontMetrics.height() // 3)
