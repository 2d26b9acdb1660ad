"""Show the progress of a training: trial pictures, and the curve of their likeness."""

from __future__ import annotations

from collections.abc import Sequence

from ...i18n import tr
from ...qt import QtCore, QtGui, QtWidgets, plain
from .colours import accent


class PreviewStrip(QtWidgets.QWidget):
    """Row of pictures, smaller where they would be wider than the strip."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_previews")
        self._pixmaps: tuple[QtGui.QPixmap, ...] = ()
        self.setToolTip(tr("What it paints of the subject so far"))
        self.setAccessibleName(self.toolTip())
        self.hide()

    def count(self) -> int:
        """Return the number of pictures."""
        return len(self._pixmaps)

    def set_lines(self, lines: int) -> None:
        """Set the height in lines of text."""
        self.setFixedHeight(lines * self.fontMetrics().height())

    def show_pixmaps(self, pixmaps: Sequence[QtGui.QPixmap]) -> None:
        """Replace all pictures."""
        self._pixmaps = tuple(pixmaps)
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if not self._pixmaps:
            return
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform)
        gap = self.fontMetrics().height() // 4
        room = (self.width() + gap) // len(self._pixmaps) - gap
        side = max(1, min(self.height(), room))
        for number, pixmap in enumerate(self._pixmaps):
            size = pixmap.size().scaled(side, side, QtCore.Qt.AspectRatioMode.KeepAspectRatio)
            painter.drawPixmap(QtCore.QRect(QtCore.QPoint(number * (side + gap), 0), size), pixmap)


class LikenessCurve(QtWidgets.QWidget):
    """Curve of the likeness over the training steps."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_curve")
        self._points: tuple[tuple[int, float], ...] = ()
        self._total = 1
        self.setFixedHeight(self.fontMetrics().height() * 2)
        self.hide()

    def show_points(self, points: Sequence[tuple[int, float]], total: int) -> None:
        """Show the points (step, likeness) of `total` steps."""
        self._points, self._total = tuple(points), max(total, 1)
        if self._points:
            best = max(like for _, like in self._points)
            text = tr("Likeness by step; the best so far: {best}", best=f"{best:.0%}")
            self.setToolTip(plain(text))
            self.setAccessibleName(text)
        self.update()

    def has_points(self) -> bool:
        """Return True if there are points enough for a line."""
        return len(self._points) > 1

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        roles = QtGui.QPalette.ColorRole
        area = QtCore.QRectF(self.rect()).adjusted(3, 3, -3, -3)
        painter.fillRect(self.rect(), self.palette().color(roles.Base))
        values = [like for _, like in self._points]
        low, high = min(values), max(values)
        span = max(high - low, 0.05)
        curve = QtGui.QPolygonF(
            QtCore.QPointF(
                area.left() + area.width() * step / self._total,
                area.bottom() - area.height() * (like - low) / span,
            )
            for step, like in self._points
        )
        colour = accent(self.palette())
        painter.setPen(QtGui.QPen(colour, 1.5))
        painter.drawPolyline(curve)
        painter.setBrush(colour)
        painter.drawEllipse(curve.at(values.index(high)), 2.5, 2.5)
