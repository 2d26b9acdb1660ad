"""Where the docker stands when it is seen for the first time, below all that Krita has already."""

from __future__ import annotations

from ..qt import QtCore, QtWidgets

LEAST_LINES = 24  # of text; less shows no more than the list of subjects


def give_room(docker: QtWidgets.QDockWidget) -> None:
    """Make a squeezed docker a tab beside the topmost one of its column, half the window high."""
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
    """The others that can be seen in the same area."""
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
