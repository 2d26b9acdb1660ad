"""Event filter against clicks on buttons that the layout has just moved under the mouse."""

from __future__ import annotations

import time

from ...qt import QtCore, QtWidgets

GUARD_S = 0.6  # after a move; less than an artist needs to see where the button is now
MOVED_AT = "modelsheet_moved_at"  # property: time.monotonic()
Kind = QtCore.QEvent.Type
PRESSES = frozenset({Kind.MouseButtonPress, Kind.MouseButtonDblClick})


class ClickGuard(QtCore.QObject):
    """Ignores mouse presses on a button that appeared or moved less than 0.6 s ago.

    What moves is a widget with all that is in it. Scrolling by the artist does not count: pass the
    scrolled widget as `scrolled`, and call `mark` where the program scrolls.
    """

    def __init__(self, root: QtWidgets.QWidget, scrolled: QtWidgets.QWidget) -> None:
        super().__init__(root)
        self._root, self._scrolled = root, scrolled
        self._shown_at = 0.0  # all of the root at once, as when its tab comes to the front
        root.installEventFilter(self)

    def watch(self) -> None:
        """Watch all buttons below the root and what they are in; call it again for new ones."""
        for button in self._root.findChildren(QtWidgets.QAbstractButton):
            for widget in self._chain(button):
                widget.installEventFilter(self)  # a second time changes nothing

    def mark(self, widget: QtWidgets.QWidget) -> None:
        """Treat this widget as moved now."""
        widget.setProperty(MOVED_AT, time.monotonic())

    def eventFilter(self, watched: QtCore.QObject, event: QtCore.QEvent) -> bool:
        kind = event.type()
        if kind in PRESSES:
            return isinstance(watched, QtWidgets.QAbstractButton) and self._has_moved(watched)
        if watched is self._root:
            if kind == Kind.Show:
                self._shown_at = time.monotonic()
        elif kind == Kind.Show or (kind == Kind.Move and watched is not self._scrolled):
            assert isinstance(watched, QtWidgets.QWidget)
            self.mark(watched)
        return False

    def _has_moved(self, button: QtWidgets.QWidget) -> bool:
        moved_at = max(float(widget.property(MOVED_AT) or 0.0) for widget in self._chain(button))
        # The first layout follows shortly after the root is shown.
        return moved_at > self._shown_at + 0.2 and time.monotonic() - moved_at < GUARD_S

    def _chain(self, widget: QtWidgets.QWidget) -> list[QtWidgets.QWidget]:
        """Return the widget and what it is in, without the root."""
        chain, one = [], widget
        while one is not self._root:
            chain.append(one)
            parent = one.parentWidget()
            if parent is None:
                break
            one = parent
        return chain
