"""Make a squeezed docker visible the first time: Krita puts it below all others."""

from __future__ import annotations

from ..qt import QtCore, QtWidgets

LEAST_LINES = 24  # of text; less shows no more than the list of subjects


def make_visible(docker: QtWidgets.QDockWidget) -> None:
    """Make a squeezed docker a tab of the topmost one of its column, half the window high."""
    window = docker.parentWidget()
    if not isinstance(window, QtWidgets.QMainWindow) or docker.isFloating():
        return
    column = _column(window, docker)
    if not column or docker.height() >= LEAST_LINES * docker.fontMetrics().height():
        return
    window.tabifyDockWidget(min(column, key=lambda other: other.y()), docker)
    vertical = QtCore.Qt.Orientation.Vertical
    window.resizeDocks([docker], [window.height() // 2], vertical)
    docker.raise_()


def _column(
    window: QtWidgets.QMainWindow, docker: QtWidgets.QDockWidget
) -> list[QtWidgets.QDockWidget]:
    """Return the other visible dockers in the same column."""
    area = window.dockWidgetArea(docker)
    return [
        other
        for other in window.findChildren(QtWidgets.QDockWidget)
        if other is not docker
        and other.isVisible()
        and not other.isFloating()
        and window.dockWidgetArea(other) == area
        and other.x() == docker.x()
    ]
