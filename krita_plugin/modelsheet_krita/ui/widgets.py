"""Small widgets: lists, collapsible section, notice, buttons."""

from __future__ import annotations

import math
from typing import Callable

from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal, flags, not_none, plain_label
from .parts.elided import ElidedPushButton, ElidedToolButton, FieldLabel

IconLoader = Callable[[str], QtGui.QIcon]
Policy = QtWidgets.QSizePolicy.Policy
Alignment = QtCore.Qt.AlignmentFlag
SCROLL_HINT = QtWidgets.QAbstractItemView.ScrollHint.EnsureVisible
ICON = "modelsheet_icon"  # the property with the name of a button's icon


class PlaceholderList(QtWidgets.QListWidget):
    """List that shows a sentence while it is empty."""

    def __init__(self, explanation: str) -> None:
        super().__init__()
        self._explanation = explanation

    def is_empty(self) -> bool:
        """Return True if there is nothing to be seen."""
        return self.count() == 0

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.is_empty():
            return
        painter = QtGui.QPainter(self.viewport())
        group = QtGui.QPalette.ColorGroup.Disabled
        painter.setPen(self.palette().color(group, QtGui.QPalette.ColorRole.Text))
        margin = self.fontMetrics().height() // 2
        area = not_none(self.viewport()).rect().adjusted(margin, margin, -margin, -margin)
        wrapped = flags(Alignment.AlignCenter) | flags(QtCore.Qt.TextFlag.TextWordWrap)
        painter.drawText(area, wrapped, self._explanation)


class FullHeightList(PlaceholderList):
    """List as high as its content: it lies in a scroll area and has no scroll bar itself.

    `reveal_wanted` carries the part to scroll to, in the list's own px.
    """

    reveal_wanted = Signal(QtCore.QRect)

    def __init__(self, explanation: str, empty_lines: int) -> None:
        super().__init__(explanation)
        self._empty_lines = empty_lines
        never = QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(never)
        self.setHorizontalScrollBarPolicy(never)
        self.setVerticalScrollMode(QtWidgets.QAbstractItemView.ScrollMode.ScrollPerPixel)
        self._fit_height()

    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(3 * self.fontMetrics().height(), self.minimumHeight())

    def sizeHint(self) -> QtCore.QSize:
        return self.minimumSizeHint()

    def updateGeometries(self) -> None:
        super().updateGeometries()  # Qt calls it after each layout of the items
        self._fit_height()

    def scrollTo(
        self,
        index: QtCore.QModelIndex,
        hint: QtWidgets.QAbstractItemView.ScrollHint = SCROLL_HINT,
    ) -> None:
        """Ask for the item to be scrolled to."""
        self.reveal(self.visualRect(index))

    def reveal(self, part: QtCore.QRect) -> None:
        """Ask for a part of the list, in px of its viewport, to be scrolled to."""
        top_left = not_none(self.viewport()).mapTo(self, part.topLeft())
        self.reveal_wanted.emit(QtCore.QRect(top_left, part.size()))

    def _fit_height(self) -> None:
        rows = [row for row in range(self.count()) if not self.isRowHidden(row)]
        items = [self.indexFromItem(self.item(row)) for row in rows]
        empty = self._empty_lines * self.fontMetrics().height()
        content = max((self.rectForIndex(one).bottom() + 1 for one in items), default=empty)
        height = content + self.spacing() + 2 * self.frameWidth()
        if height != self.minimumHeight():
            self.setMinimumHeight(height)


class FoldButton(ElidedToolButton):
    """Button with an arrow that shows if what it folds is open, while it is checked."""

    def __init__(self, name: str, tooltip: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setToolTip(tooltip)
        self.setCheckable(True)
        self.setAutoRaise(True)
        self.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.toggled.connect(self._on_toggled)
        self._on_toggled(False)

    def _on_toggled(self, is_open: bool) -> None:
        arrow = QtCore.Qt.ArrowType
        self.setArrowType(arrow.DownArrow if is_open else arrow.RightArrow)


class CollapsibleSection(QtWidgets.QWidget):
    """Widgets that are hidden until the artist opens the section."""

    def __init__(self, title: str, name: str, tooltip: str) -> None:
        super().__init__()
        self.button = FoldButton(name, tooltip)
        self.button.setText(title)
        self.inside = QtWidgets.QWidget()
        self.inside.setVisible(False)
        self.button.toggled.connect(self.inside.setVisible)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.inside)


class WheelFilter(QtCore.QObject):
    """Event filter: the wheel scrolls the docker instead of changing a number without focus."""

    def watch(self, root: QtWidgets.QWidget) -> None:
        """Filter the wheel events of all spin boxes and combo boxes below `root`."""
        for kind in (QtWidgets.QAbstractSpinBox, QtWidgets.QComboBox):
            for widget in root.findChildren(kind):
                widget.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
                widget.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        is_wheel = event.type() == QtCore.QEvent.Type.Wheel
        if is_wheel and isinstance(watched, QtWidgets.QWidget) and not watched.hasFocus():
            event.ignore()
            return True
        return False


class WrappedText(QtWidgets.QTextEdit):
    """Sentence to read and copy: as high as its text, and a long word is broken to fit."""

    def __init__(self) -> None:
        super().__init__()
        self.setReadOnly(True)
        self.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        never = QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff
        self.setVerticalScrollBarPolicy(never)
        self.setHorizontalScrollBarPolicy(never)
        self.setWordWrapMode(QtGui.QTextOption.WrapMode.WrapAtWordBoundaryOrAnywhere)
        not_none(self.document()).setDocumentMargin(0)
        not_none(self.viewport()).setAutoFillBackground(False)
        policy = QtWidgets.QSizePolicy(Policy.Ignored, Policy.Preferred)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def text(self) -> str:
        """Return the sentence."""
        return self.toPlainText()

    def setText(self, text: str) -> None:
        """Show a sentence as plain text."""
        self.setPlainText(text)
        self.setAccessibleName(text)
        self.updateGeometry()

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        margins = self.viewportMargins()
        copy = not_none(not_none(self.document()).clone())
        copy.setTextWidth(max(1, width - margins.left() - margins.right()))
        return math.ceil(copy.size().height()) + margins.top() + margins.bottom()

    def sizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(self.width(), self.heightForWidth(self.width()))

    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(3 * self.fontMetrics().height(), self.fontMetrics().height())

    def wheelEvent(self, event: QtGui.QWheelEvent) -> None:
        event.ignore()  # it scrolls what the sentence lies in


class Notice(QtWidgets.QFrame):
    """Sentence for the artist with a button to dismiss it and perhaps one to act; not modal."""

    acted = Signal()
    shown = Signal()

    def __init__(self, icon: IconLoader, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        self._icon = icon
        self._pixmap = plain_label()
        self.text = WrappedText()
        self._button = ElidedPushButton()
        self._button.clicked.connect(self._on_acted)
        self._on_action: Callable[[], None] | None = None
        close = tool_button(icon, "docker_close", tr("Dismiss"))
        close.clicked.connect(self.hide)
        layout = QtWidgets.QGridLayout(self)
        half = self.fontMetrics().height() // 2
        layout.setContentsMargins(half, half, half, half)
        # Icon, first line of text and cross stand on one line.
        line = close.sizeHint().height()
        self._pixmap.setFixedHeight(line)
        above = max(0, (line - self.fontMetrics().height()) // 2)
        self.text.setViewportMargins(0, above, 0, above)
        layout.addWidget(self._pixmap, 0, 0, Alignment.AlignTop)
        layout.addWidget(self.text, 0, 1)
        layout.addWidget(close, 0, 2, Alignment.AlignTop)
        layout.addWidget(self._button, 1, 1, 1, 2, Alignment.AlignLeft)
        layout.setColumnStretch(1, 1)
        self.hide()

    def say(
        self,
        sentence: str,
        *,
        icon: str = "warning",
        action: str = "",
        on_action: Callable[[], None] | None = None,
    ) -> None:
        """Show a sentence.

        `action` is the text of a button, which calls `on_action` or else emits `acted`.
        """
        side = round(self.fontMetrics().height() * 1.25)
        self._pixmap.setPixmap(self._icon(icon).pixmap(side, side))
        self.text.setText(sentence)
        self._button.setText(action)
        self._button.setVisible(bool(action))
        self._on_action = on_action
        self.show()
        self.shown.emit()

    def _on_acted(self) -> None:
        if self._on_action is None:
            self.acted.emit()
            return
        self.hide()
        self._on_action()


def tool_button(icon: IconLoader, icon_name: str, name: str) -> QtWidgets.QToolButton:
    """Make a flat button with an icon; `name` is its tooltip and accessible name."""
    button = QtWidgets.QToolButton()
    button.setAutoRaise(True)
    button.setToolTip(name)
    button.setAccessibleName(name)
    set_icon(button, icon, icon_name)
    return button


def push_button(icon: IconLoader, icon_name: str, text: str, name: str) -> QtWidgets.QPushButton:
    """Make a button with icon and text; `name` is its object name."""
    button = ElidedPushButton(text)
    button.setObjectName(name)
    set_icon(button, icon, icon_name)
    return button


def dialog_buttons(
    dialog: QtWidgets.QDialog, icon: IconLoader, text: str
) -> tuple[QtWidgets.QDialogButtonBox, QtWidgets.QPushButton]:
    """Make the buttons of a dialog: the returned one with `text`, and Cancel, which rejects."""
    roles = QtWidgets.QDialogButtonBox.ButtonRole
    box = QtWidgets.QDialogButtonBox()
    button = not_none(box.addButton(text, roles.AcceptRole))
    button.setIcon(icon("dialog-ok"))
    not_none(box.addButton(tr("Cancel"), roles.RejectRole)).setIcon(icon("dialog-cancel"))
    box.rejected.connect(dialog.reject)
    return box, button


def add_action(menu: QtWidgets.QMenu, text: str, slot: Callable[[], object]) -> QtGui.QAction:
    """Add an entry to a menu that calls `slot`."""
    action = not_none(menu.addAction(text))
    action.triggered.connect(lambda: slot())
    return action


def set_icon(button: QtWidgets.QAbstractButton, icon: IconLoader, icon_name: str) -> None:
    """Set the icon so that `refresh_icons` can load it again for another theme."""
    button.setProperty(ICON, icon_name)
    button.setIcon(icon(icon_name))


def refresh_icons(root: QtWidgets.QWidget, icon: IconLoader) -> None:
    """Load the icons of all buttons below `root` again, after the theme changed."""
    for button in root.findChildren(QtWidgets.QAbstractButton):
        icon_name = button.property(ICON)
        if icon_name:
            button.setIcon(icon(icon_name))


def heading(text: str) -> QtWidgets.QLabel:
    """Make a bold label."""
    label = plain_label(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def buddy(text: str, widget: QtWidgets.QWidget) -> QtWidgets.QLabel:
    """Make a label for `widget`, whose text is also the widget's accessible name."""
    label = FieldLabel(text)
    label.setBuddy(widget)
    widget.setAccessibleName(text)
    return label


def spin_box(name: str, least: int, most: int, tooltip: str) -> QtWidgets.QSpinBox:
    """Make a spin box with object name, range and tooltip."""
    box = QtWidgets.QSpinBox()
    box.setObjectName(name)
    box.setRange(least, most)
    box.setToolTip(tooltip)
    may_be_narrow(box)
    return box


def may_be_narrow(field: QtWidgets.QWidget) -> None:
    """Let a field become narrower than its widest entry: that must not set the docker's width."""
    field.setMinimumWidth(2 * field.fontMetrics().height())
    field.setSizePolicy(Policy.Preferred, Policy.Fixed)
