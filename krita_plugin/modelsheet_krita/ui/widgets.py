"""Small widgets that Qt lacks: an eliding label, a list that explains itself, a fold, a notice."""

from __future__ import annotations

from typing import Callable

from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal, flags

IconSource = Callable[[str], QtGui.QIcon]
Policy = QtWidgets.QSizePolicy.Policy
Alignment = QtCore.Qt.AlignmentFlag
LEAST_CONTRAST = 80  # of 255 in lightness
ICON = "modelsheet_icon"  # the property with the name of a button's icon


class ElidedLabel(QtWidgets.QLabel):
    """One line that ends in an ellipsis where there is no room; the tooltip has all of it."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._explanation = ""
        self.setSizePolicy(Policy.Ignored, Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setToolTip(f"{text}\n{self._explanation}".strip())

    def explain(self, explanation: str, is_so: bool = True) -> None:
        """Say more in the tooltip, below the text."""
        self._explanation = explanation if is_so else ""
        self.setText(self.text())

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        area = self.contentsRect()
        mode = QtCore.Qt.TextElideMode.ElideRight
        shown = self.fontMetrics().elidedText(self.text(), mode, area.width())
        role = self.foregroundRole()
        left = flags(Alignment.AlignVCenter | Alignment.AlignLeft)
        self.style().drawItemText(
            painter, area, left, self.palette(), self.isEnabled(), shown, role
        )


class ExplainedList(QtWidgets.QListWidget):
    """A list that shows a sentence while it is empty."""

    def __init__(self, explanation: str) -> None:
        super().__init__()
        self._explanation = explanation

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        super().paintEvent(event)
        if self.count():
            return
        painter = QtGui.QPainter(self.viewport())
        group = QtGui.QPalette.ColorGroup.Disabled
        painter.setPen(self.palette().color(group, QtGui.QPalette.ColorRole.Text))
        margin = self.fontMetrics().height() // 2
        area = self.viewport().rect().adjusted(margin, margin, -margin, -margin)
        wrapped = flags(Alignment.AlignCenter) | flags(QtCore.Qt.TextFlag.TextWordWrap)
        painter.drawText(area, wrapped, self._explanation)


class Fold(QtWidgets.QWidget):
    """Widgets that stay out of sight until the artist unfolds them."""

    def __init__(self, title: str, name: str) -> None:
        super().__init__()
        self.button = QtWidgets.QToolButton()
        self.button.setObjectName(name)
        self.button.setText(title)
        self.button.setCheckable(True)
        self.button.setAutoRaise(True)
        self.button.setToolButtonStyle(QtCore.Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.button.toggled.connect(self._on_toggled)
        self.inside = QtWidgets.QWidget()
        self.inside.setVisible(False)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.button)
        layout.addWidget(self.inside)
        self._on_toggled(False)

    def _on_toggled(self, is_open: bool) -> None:
        arrow = QtCore.Qt.ArrowType
        self.button.setArrowType(arrow.DownArrow if is_open else arrow.RightArrow)
        self.inside.setVisible(is_open)


class CalmWheel(QtCore.QObject):
    """Lets the wheel scroll the docker, not turn a number that the mouse happens to be over."""

    def watch(self, root: QtWidgets.QWidget) -> None:
        """Calm every number and choice below `root`."""
        for kind in (QtWidgets.QAbstractSpinBox, QtWidgets.QComboBox):
            for widget in root.findChildren(kind):
                widget.setFocusPolicy(QtCore.Qt.FocusPolicy.StrongFocus)
                widget.installEventFilter(self)

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.Wheel and not watched.hasFocus():
            event.ignore()
            return True
        return False


class Notice(QtWidgets.QFrame):
    """A sentence for the artist, to be dismissed or acted upon; never a dialog in the way."""

    acted = Signal()
    said = Signal()

    def __init__(self, icon: IconSource, name: str) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        self._icon = icon
        self._sign = QtWidgets.QLabel()
        self.text = QtWidgets.QLabel()
        self.text.setWordWrap(True)
        self.text.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self._button = QtWidgets.QPushButton()
        self._button.clicked.connect(self._on_acted)
        self._action: Callable[[], None] | None = None
        close = tool_button(icon, "docker_close", tr("Dismiss"))
        close.clicked.connect(self.hide)
        layout = QtWidgets.QGridLayout(self)
        half = self.fontMetrics().height() // 2
        layout.setContentsMargins(half, half, half, half)
        # Sign, first line of text and cross stand on one line.
        line = close.sizeHint().height()
        self._sign.setFixedHeight(line)
        above = max(0, (line - self.fontMetrics().height()) // 2)
        self.text.setContentsMargins(0, above, 0, above)
        layout.addWidget(self._sign, 0, 0, Alignment.AlignTop)
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
        do: Callable[[], None] | None = None,
    ) -> None:
        """`action`: what a button below offers, and `do` what it does; else `acted` is emitted."""
        side = round(self.fontMetrics().height() * 1.25)
        self._sign.setPixmap(self._icon(icon).pixmap(side, side))
        self.text.setText(sentence)
        self._button.setText(action)
        self._button.setVisible(bool(action))
        self._action = do
        self.show()
        self.said.emit()

    def _on_acted(self) -> None:
        if self._action is None:
            self.acted.emit()
            return
        self.hide()
        self._action()


def tool_button(icon: IconSource, sign: str, name: str) -> QtWidgets.QToolButton:
    """A flat button with an icon only; `name` is its tooltip and what a screen reader says."""
    button = QtWidgets.QToolButton()
    button.setAutoRaise(True)
    button.setToolTip(name)
    button.setAccessibleName(name)
    give_icon(button, icon, sign)
    return button


def push_button(icon: IconSource, sign: str, text: str, name: str) -> QtWidgets.QPushButton:
    button = QtWidgets.QPushButton(text)
    button.setObjectName(name)
    give_icon(button, icon, sign)
    return button


def give_icon(button: QtWidgets.QAbstractButton, icon: IconSource, sign: str) -> None:
    """Set the icon so that `refresh_icons` can fetch it anew for another theme."""
    button.setProperty(ICON, sign)
    button.setIcon(icon(sign))


def refresh_icons(root: QtWidgets.QWidget, icon: IconSource) -> None:
    """Fetch the icons of all buttons below `root` anew: Krita's are of its present theme."""
    for button in root.findChildren(QtWidgets.QAbstractButton):
        sign = button.property(ICON)
        if sign:
            button.setIcon(icon(sign))


def accent(palette: QtGui.QPalette) -> QtGui.QColor:
    """The theme's highlight, made to stand out where it is as dim as what is behind it."""
    roles = QtGui.QPalette.ColorRole
    colour, ground = palette.color(roles.Highlight), palette.color(roles.Base)
    if abs(colour.lightness() - ground.lightness()) >= LEAST_CONTRAST:
        return colour
    return colour.lighter(150) if ground.lightness() < 128 else colour.darker(150)


def heading(text: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def buddy(text: str, widget: QtWidgets.QWidget) -> QtWidgets.QLabel:
    """A label for `widget`, which also tells a screen reader what it is."""
    label = QtWidgets.QLabel(text)
    label.setBuddy(widget)
    widget.setAccessibleName(text)
    return label


def spin_box(name: str, least: int, most: int, tooltip: str) -> QtWidgets.QSpinBox:
    box = QtWidgets.QSpinBox()
    box.setObjectName(name)
    box.setRange(least, most)
    box.setToolTip(tooltip)
    return box
