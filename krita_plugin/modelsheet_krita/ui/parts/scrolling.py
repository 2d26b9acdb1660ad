"""Scroll area of the docker: content that is never wider than it, and scrolling to what is new."""

from __future__ import annotations

import time
from typing import Callable

from ...qt import QtCore, QtWidgets, flags, not_none
from .click_guard import ClickGuard

TYPING_S = 3.0  # after a key, in which what is typed stays in view


class ScrolledContent(QtWidgets.QWidget):
    """Content of a scroll area: as wide as it, whatever a widget asks for."""

    def minimumSizeHint(self) -> QtCore.QSize:
        return QtCore.QSize(0, super().minimumSizeHint().height())


class ContentScroller(QtCore.QObject):
    """Scrolls to what is new once it is laid out, and to `typed` when the artist types in it.

    It waits while a menu or list is open, a mouse button is down, or the artist types.
    """

    def __init__(
        self, scroll: QtWidgets.QScrollArea, typed: QtWidgets.QWidget, guard: ClickGuard
    ) -> None:
        super().__init__(scroll)
        self._scroll, self._typed, self._guard = scroll, typed, guard
        self._typed_at = 0.0
        self._target: tuple[QtWidgets.QWidget, Callable[[], QtCore.QRect]] | None = None
        self._timer = QtCore.QTimer(self)
        self._timer.setInterval(100)
        self._timer.timeout.connect(self._try)
        typed.installEventFilter(self)

    def show(self, widget: QtWidgets.QWidget, part: Callable[[], QtCore.QRect]) -> None:
        """Scroll so that `part` of the widget, in its px, is in view: its top if it is too high.

        `part` is asked for when it comes to that. A later call replaces an earlier one.
        """
        self._target = widget, part
        self._timer.start()
        QtCore.QTimer.singleShot(0, self._try)  # after the layout

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        if event.type() == QtCore.QEvent.Type.KeyPress:
            self._typed_at = time.monotonic()
            self._scroll_to(self._typed, self._typed.rect())
        return False

    def _try(self) -> None:
        if self._target is None or self._is_busy():
            return
        widget, part = self._target
        self._target = None
        self._timer.stop()
        request = flags(QtCore.QEvent.Type.LayoutRequest)
        QtCore.QCoreApplication.sendPostedEvents(None, request)  # or the content is still too low
        if widget.isVisible():
            self._scroll_to(widget, part())

    def _is_busy(self) -> bool:
        if QtWidgets.QApplication.activePopupWidget() is not None:
            return True
        is_down = QtWidgets.QApplication.mouseButtons() != QtCore.Qt.MouseButton.NoButton
        return is_down or time.monotonic() - self._typed_at < TYPING_S

    def _scroll_to(self, widget: QtWidgets.QWidget, part: QtCore.QRect) -> None:
        """Scroll as little as needed."""
        content, bar = not_none(self._scroll.widget()), not_none(self._scroll.verticalScrollBar())
        not_none(content.layout()).activate()
        top = widget.mapTo(content, part.topLeft()).y()
        height = not_none(self._scroll.viewport()).height()
        before = bar.value()
        value = max(before, top + part.height() - height)
        bar.setValue(min(value, top))
        if bar.value() != before:
            self._guard.mark(content)
