"""Popup beside the docker that shows a result large while the mouse is on its thumbnail."""

from __future__ import annotations

from ..qt import QtCore, QtGui, QtWidgets, not_none, plain_label

GAP = 4  # px


class ImagePopup(QtWidgets.QWidget):
    """Shows one image, or two beside each other to compare, over the canvas but not in it."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent, QtCore.Qt.WindowType.ToolTip)
        self.setObjectName("modelsheet_preview")
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_ShowWithoutActivating)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.images = [plain_label(), plain_label()]
        self.captions = [plain_label(), plain_label()]
        layout = QtWidgets.QGridLayout(self)
        for column in (0, 1):
            layout.addWidget(self.images[column], 0, column)
            layout.addWidget(self.captions[column], 1, column)

    def show_beside(
        self, docker: QtWidgets.QWidget, shown: list[tuple[QtGui.QPixmap, str]]
    ) -> None:
        """Show one or two images with their captions beside the docker, as high as the mouse."""
        for column in (0, 1):
            is_used = column < len(shown)
            self.images[column].setVisible(is_used)
            self.captions[column].setVisible(is_used)
            if is_used:
                self.images[column].setPixmap(shown[column][0])
                self.captions[column].setText(shown[column][1])
        self.adjustSize()
        self.move(self._position(docker))
        self.show()

    def _position(self, docker: QtWidgets.QWidget) -> QtCore.QPoint:
        """Return the corner left of the docker, or right of it where the screen ends."""
        corner, pointer = docker.mapToGlobal(QtCore.QPoint(0, 0)), QtGui.QCursor.pos()
        screen = not_none(docker.screen()).availableGeometry()
        left = corner.x() - self.width() - GAP
        x = left if left >= screen.left() else corner.x() + docker.width() + GAP
        lowest = screen.bottom() - self.height()
        return QtCore.QPoint(x, max(screen.top(), min(pointer.y() - self.height() // 2, lowest)))
