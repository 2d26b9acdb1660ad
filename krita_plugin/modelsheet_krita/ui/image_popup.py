"""The large picture beside the docker while the mouse rests on a thumbnail: nothing to click."""

from __future__ import annotations

from ..qt import QtCore, QtGui, QtWidgets


class Preview(QtWidgets.QWidget):
    """Shows one picture, or two beside each other to compare, over the canvas but not in it."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent, QtCore.Qt.WindowType.ToolTip)
        self.setObjectName("modelsheet_preview")
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.pictures = [QtWidgets.QLabel(), QtWidgets.QLabel()]
        self.words = [QtWidgets.QLabel(), QtWidgets.QLabel()]
        layout = QtWidgets.QGridLayout(self)
        for column in (0, 1):
            layout.addWidget(self.pictures[column], 0, column)
            layout.addWidget(self.words[column], 1, column)

    def show_beside(
        self, docker: QtWidgets.QWidget, shown: list[tuple[QtGui.QPixmap, str]]
    ) -> None:
        """`shown`: one or two pictures with what is said below them."""
        for column in (0, 1):
            is_used = column < len(shown)
            self.pictures[column].setVisible(is_used)
            self.words[column].setVisible(is_used)
            if is_used:
                self.pictures[column].setPixmap(shown[column][0])
                self.words[column].setText(shown[column][1])
        self.adjustSize()
        self.move(self._place(docker))
        self.show()

    def _place(self, docker: QtWidgets.QWidget) -> QtCore.QPoint:
        """Left of the docker, or right of it where the screen ends."""
        corner = docker.mapToGlobal(QtCore.QPoint(0, 0))
        left = corner.x() - self.width() - 4
        x = left if left >= 0 else corner.x() + docker.width() + 4
        return QtCore.QPoint(x, max(0, corner.y()))
