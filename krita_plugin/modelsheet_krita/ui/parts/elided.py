"""Widgets whose text is elided where there is no room: labels, buttons, check boxes, and rows."""

from __future__ import annotations

from ...qt import QtCore, QtGui, QtWidgets, flags, not_none, plain

SEPARATOR = " · "
MNEMONIC = flags(QtCore.Qt.TextFlag.TextShowMnemonic)
BORDER = 4  # px, of a push button on both sides together
HINT_LINES, HINT_MARGIN = 2, 2  # px that a label adds to the height of its lines
LEAST_LINES = 1.5  # smallest width of a widget with text, in heights of a line
Policy = QtWidgets.QSizePolicy.Policy
Alignment = QtCore.Qt.AlignmentFlag


def fit_parts(text: str, metrics: QtGui.QFontMetrics, width: int, *, keep_last: bool) -> str:
    """Drop whole parts of "a · b · c" until the rest fits; elide what is still too wide.

    `keep_last`: drop from the left, else from the right.
    """
    parts = text.split(SEPARATOR)
    while len(parts) > 1 and metrics.horizontalAdvance(SEPARATOR.join(parts)) > width:
        parts.pop(0 if keep_last else -1)
    mode = QtCore.Qt.TextElideMode.ElideRight
    return metrics.elidedText(SEPARATOR.join(parts), mode, width)


class ElidedLabel(QtWidgets.QLabel):
    """Label of one line, elided where there is no room; the tooltip has the whole text.

    Of facts with a dot between them the last is kept longest.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._explanation = ""
        self.setSizePolicy(Policy.Ignored, Policy.Preferred)
        self.setText(text)

    def setText(self, text: str) -> None:
        super().setText(text)
        shown = text if self.buddy() is None else text.replace("&", "")
        self.setToolTip(plain(f"{shown}\n{self._explanation}".strip()))

    def explain(self, explanation: str, is_valid: bool = True) -> None:
        """Add an explanation to the tooltip, below the text, or remove it."""
        self._explanation = explanation if is_valid else ""
        self.setText(self.text())

    def minimumSizeHint(self) -> QtCore.QSize:
        return _narrow(super().minimumSizeHint(), self)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        area = self.contentsRect()
        left = flags(Alignment.AlignVCenter | Alignment.AlignLeft)
        if self.buddy() is None:
            shown = fit_parts(self.text(), self.fontMetrics(), area.width(), keep_last=True)
        else:  # Krita puts an & before the letter that is underlined
            mode = QtCore.Qt.TextElideMode.ElideRight
            shown = self.fontMetrics().elidedText(self.text(), mode, area.width(), MNEMONIC)
            left |= MNEMONIC
        not_none(self.style()).drawItemText(
            painter,
            area,
            left,
            self.palette(),
            self.isEnabled(),
            shown,
            self.foregroundRole(),
        )


class FieldLabel(ElidedLabel):
    """Label beside a field: as wide as its text, and narrower only where there is no room."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setSizePolicy(Policy.Preferred, Policy.Preferred)


class HintLabel(QtWidgets.QLabel):
    """Sentence below a field, always as high: the form stays as it is when it changes."""

    def __init__(self, name: str, lines: int = HINT_LINES) -> None:
        super().__init__()
        self.setObjectName(name)
        self.setWordWrap(True)
        self.setAlignment(Alignment.AlignLeft | Alignment.AlignTop)
        self.setFixedHeight(lines * self.fontMetrics().lineSpacing() + HINT_MARGIN)

    def setText(self, text: str) -> None:
        super().setText(text)
        self.setToolTip(text)


class ElidedPushButton(QtWidgets.QPushButton):
    """Push button whose text is elided where there is no room; the tooltip has the whole text."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setSizePolicy(Policy.Preferred, Policy.Fixed)

    def minimumSizeHint(self) -> QtCore.QSize:
        return _narrow(super().minimumSizeHint(), self)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        option = QtWidgets.QStyleOptionButton()
        self.initStyleOption(option)
        option.text = _elide(self, option, self.width() - _icon_width(option) - BORDER)
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)

    def event(self, event: QtCore.QEvent) -> bool:
        return _show_whole_text(self, event) or super().event(event)


class ElidedCheckBox(QtWidgets.QCheckBox):
    """Check box whose text is elided where there is no room; the tooltip has the whole text."""

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.setSizePolicy(Policy.Preferred, Policy.Fixed)

    def minimumSizeHint(self) -> QtCore.QSize:
        return _narrow(super().minimumSizeHint(), self)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        option = QtWidgets.QStyleOptionButton()
        self.initStyleOption(option)
        part = QtWidgets.QStyle.SubElement.SE_CheckBoxContents
        room = not_none(self.style()).subElementRect(part, option, self).width()
        option.text = _elide(self, option, room)
        painter = QtWidgets.QStylePainter(self)
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_CheckBox, option)

    def event(self, event: QtCore.QEvent) -> bool:
        return _show_whole_text(self, event) or super().event(event)


class ElidedToolButton(QtWidgets.QToolButton):
    """Flat button with an arrow or icon before its text, elided where there is no room."""

    def __init__(self) -> None:
        super().__init__()
        self.setSizePolicy(Policy.Preferred, Policy.Fixed)

    def minimumSizeHint(self) -> QtCore.QSize:
        return _narrow(super().minimumSizeHint(), self)

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        option = QtWidgets.QStyleOptionToolButton()
        self.initStyleOption(option)
        metrics = self.fontMetrics()
        margin = self.sizeHint().width() - metrics.size(MNEMONIC, self.text()).width()
        blanks = self.fontMetrics().horizontalAdvance("  ")  # Qt's own, around the text
        option.text = _elide(self, option, self.width() - margin + blanks)
        painter = QtWidgets.QStylePainter(self)
        painter.drawComplexControl(QtWidgets.QStyle.ComplexControl.CC_ToolButton, option)

    def event(self, event: QtCore.QEvent) -> bool:
        return _show_whole_text(self, event) or super().event(event)


class AdaptiveRow(QtWidgets.QWidget):
    """Widgets in one row, or below each other where the row would be too wide."""

    def __init__(self, *widgets: QtWidgets.QWidget) -> None:
        super().__init__()
        self._layout = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.LeftToRight, self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._widgets = widgets
        for widget in widgets:
            self._layout.addWidget(widget)
        self._layout.setStretch(len(widgets) - 1, 1)

    def minimumSizeHint(self) -> QtCore.QSize:
        widest = max(widget.minimumSizeHint().width() for widget in self._widgets)
        return QtCore.QSize(widest, super().minimumSizeHint().height())

    def resizeEvent(self, event: QtGui.QResizeEvent) -> None:
        super().resizeEvent(event)
        needed = sum(widget.minimumSizeHint().width() for widget in self._widgets)
        needed += self._layout.spacing() * (len(self._widgets) - 1)
        directions = QtWidgets.QBoxLayout.Direction
        fits = needed <= self.width()
        self._layout.setDirection(directions.LeftToRight if fits else directions.TopToBottom)


def _narrow(size: QtCore.QSize, widget: QtWidgets.QWidget) -> QtCore.QSize:
    least = round(LEAST_LINES * widget.fontMetrics().height())
    return QtCore.QSize(min(size.width(), least), size.height())


def _icon_width(option: QtWidgets.QStyleOptionButton) -> int:
    return 0 if option.icon.isNull() else option.iconSize.width() + 4  # Qt's own gap


def _elide(button: QtWidgets.QAbstractButton, option: QtWidgets.QStyleOption, width: int) -> str:
    mode = QtCore.Qt.TextElideMode.ElideRight
    shown = option.fontMetrics.elidedText(button.text(), mode, max(0, width), MNEMONIC)
    button.setProperty("modelsheet_elided", shown != button.text())
    return shown


def _show_whole_text(button: QtWidgets.QAbstractButton, event: QtCore.QEvent) -> bool:
    """Show the whole text above the tooltip of a button whose text is elided."""
    if event.type() != QtCore.QEvent.Type.ToolTip or not button.property("modelsheet_elided"):
        return False
    assert isinstance(event, QtGui.QHelpEvent)
    whole = f"{button.text().replace('&', '')}\n{button.toolTip()}".strip()
    QtWidgets.QToolTip.showText(event.globalPos(), plain(whole), button)
    return True
