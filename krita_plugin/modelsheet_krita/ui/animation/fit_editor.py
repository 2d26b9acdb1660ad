"""Editor of a mannequin's fit: lines over the drawing that can be dragged, and their numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...backend.api_requests import FigureFit
from ...i18n import tr
from ...image import Image, as_qimage, chequerboard
from ...qt import QtCore, QtGui, QtWidgets, Signal, plain_label
from ..parts.colours import accent
from ..widgets import buddy
from .frame_player import CELL, enlarged

PICTURE_LINES = 14
REACH = 6  # px within which a line is caught
OPACITY = 0.5  # of the mannequin over the drawing
LONGEST = 4096


@dataclass(frozen=True)
class FittedFigure:
    """Drawing, the mannequin that was fitted to it with its corner in the drawing, and the fit."""

    drawing: Image
    mannequin: Image | None
    corner: tuple[int, int]
    fit: FigureFit


class FitEditor(QtWidgets.QWidget):
    """Shows the drawing with the mannequin; the artist moves head, neck, feet and sides."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_fit")
        self._fit: FigureFit | None = None
        self.picture = FitPicture()
        self.picture.dragged.connect(self._on_dragged)
        form = QtWidgets.QFormLayout()
        self.fields = {name: self._field(name) for name in _titles()}
        for name, title in _titles().items():
            form.addRow(buddy(title, self.fields[name]), self.fields[name])
        hint = plain_label(
            tr("Drag the lines to the top of the head, the neck, the feet and the sides.")
        )
        hint.setWordWrap(True)
        form.addRow(hint)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.picture)
        row.addLayout(form, 1)

    def show_figure(self, figure: FittedFigure) -> None:
        """Show a drawing with its fit."""
        self._fit = figure.fit
        self.picture.show_figure(figure)
        self._show_numbers(figure.fit)

    def fit(self) -> FigureFit | None:
        """Return the fit as it is now, None before there is one."""
        return self._fit

    def _field(self, name: str) -> QtWidgets.QDoubleSpinBox:
        box = QtWidgets.QDoubleSpinBox()
        box.setObjectName(f"modelsheet_fit_{name}")
        box.setDecimals(1)
        box.setRange(1 if name.endswith("width") else -LONGEST, LONGEST)
        box.setSuffix(tr(" px"))
        box.setToolTip(tr("In pixels of the drawing, from its top left corner"))
        box.valueChanged.connect(lambda value: self._change(name, value))
        return box

    def _change(self, name: str, value: float) -> None:
        if self._fit is not None:
            changed: dict[str, Any] = {name: value}
            self._fit = replace(self._fit, **changed)
            self.picture.show_fit(self._fit)
            self.changed.emit()

    def _on_dragged(self, name: str, value: float) -> None:
        self.fields[name].setValue(value)

    def _show_numbers(self, fit: FigureFit) -> None:
        for name, field in self.fields.items():
            field.blockSignals(True)
            field.setValue(getattr(fit, name))
            field.blockSignals(False)


class FitPicture(QtWidgets.QWidget):
    """Drawing with the mannequin over it and a line for each number of the fit."""

    dragged = Signal(str, float)  # number of the fit, and its new value

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_fit_picture")
        self.setMouseTracking(True)
        side = PICTURE_LINES * self.fontMetrics().height()
        self.setFixedSize(side, side)
        self._figure: FittedFigure | None = None
        self._held = ""

    def show_figure(self, figure: FittedFigure) -> None:
        """Show a drawing with its mannequin and lines."""
        self._figure = figure
        self.update()

    def show_fit(self, fit: FigureFit) -> None:
        """Show other lines; the mannequin of the former ones is not shown any more."""
        if self._figure is not None:
            mannequin = self._figure.mannequin if fit == self._figure.fit else None
            self._figure = replace(self._figure, fit=fit, mannequin=mannequin)
            self.update()

    def _area(self) -> tuple[QtCore.QRect, float]:
        """Return where the drawing is shown, and how many px one of its px takes."""
        assert self._figure is not None
        drawing = self._figure.drawing
        size = enlarged(QtCore.QSize(drawing.width, drawing.height), self.size())
        left, top = (self.width() - size.width()) // 2, (self.height() - size.height()) // 2
        return QtCore.QRect(QtCore.QPoint(left, top), size), size.width() / drawing.width

    def lines(self) -> dict[str, QtCore.QLineF]:
        """Return the line of each number, in px of this widget."""
        assert self._figure is not None
        fit, (area, scale) = self._figure.fit, self._area()

        def x(value: float) -> float:
            return area.left() + value * scale

        def y(value: float) -> float:
            return area.top() + value * scale

        found = {
            name: QtCore.QLineF(area.left(), y(value), area.right(), y(value))
            for name, value in (("top", fit.top), ("neck", fit.neck), ("feet", fit.feet))
        }
        found["centre"] = QtCore.QLineF(x(fit.centre), y(fit.top), x(fit.centre), y(fit.feet))
        for name, width, top, bottom in (
            ("head_width", fit.head_width, fit.top, fit.neck),
            ("body_width", fit.body_width, fit.neck, fit.feet),
        ):
            side = x(fit.centre + width / 2)
            found[name] = QtCore.QLineF(side, y(top), side, y(bottom))
        return found

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if self._figure is None:
            return
        painter = QtGui.QPainter(self)
        area, scale = self._area()
        painter.drawPixmap(area.topLeft(), chequerboard(area.size(), CELL))
        painter.drawImage(area, as_qimage(self._figure.drawing))
        mannequin = self._figure.mannequin
        if mannequin is not None:
            painter.setClipRect(area)
            painter.setOpacity(OPACITY)
            left, top = (area.left() + self._figure.corner[0] * scale,
                         area.top() + self._figure.corner[1] * scale)  # fmt: skip
            size = QtCore.QSizeF(mannequin.width * scale, mannequin.height * scale)
            painter.drawImage(QtCore.QRectF(QtCore.QPointF(left, top), size), as_qimage(mannequin))
            painter.setOpacity(1.0)
            painter.setClipping(False)
        for name, line in self.lines().items():
            painter.setPen(QtGui.QPen(accent(self.palette()), 3 if name == self._held else 1.5))
            painter.drawLine(line)
            if name.endswith("width"):  # the other side follows
                mirrored = 2 * self.lines()["centre"].x1() - line.x1()
                painter.drawLine(QtCore.QLineF(mirrored, line.y1(), mirrored, line.y2()))

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._figure is not None:
            self._held = self._line_at(QtCore.QPointF(event.pos()))
            self.update()

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._figure is None:
            return
        position = QtCore.QPointF(event.pos())
        name = self._held or self._line_at(position)
        shapes = QtCore.Qt.CursorShape
        if not name:
            self.unsetCursor()
        else:
            is_row = name in ("top", "neck", "feet")
            self.setCursor(shapes.SizeVerCursor if is_row else shapes.SizeHorCursor)
        if self._held:
            self.dragged.emit(self._held, self._value_at(self._held, position))

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        self._held = ""
        self.update()

    def _line_at(self, position: QtCore.QPointF) -> str:
        """Return the name of the nearest line, empty where none is near."""
        distances = {name: _distance(line, position) for name, line in self.lines().items()}
        nearest = min(distances, key=lambda name: distances[name])
        return nearest if distances[nearest] <= REACH else ""

    def _value_at(self, name: str, position: QtCore.QPointF) -> float:
        assert self._figure is not None
        area, scale = self._area()
        x, y = (position.x() - area.left()) / scale, (position.y() - area.top()) / scale
        if name in ("top", "neck", "feet"):
            return round(y, 1)
        if name == "centre":
            return round(x, 1)
        return round(max(1.0, 2 * abs(x - self._figure.fit.centre)), 1)


def _titles() -> dict[str, str]:
    """Return the numbers of a fit that can be changed, with their titles."""
    return {
        "top": tr("Top of the head"),
        "neck": tr("Neck"),
        "feet": tr("Feet"),
        "centre": tr("Middle"),
        "head_width": tr("Width of the head"),
        "body_width": tr("Width of the body"),
    }


def _distance(line: QtCore.QLineF, point: QtCore.QPointF) -> float:
    """Return the distance of a point from a level or upright line."""
    x = min(max(point.x(), min(line.x1(), line.x2())), max(line.x1(), line.x2()))
    y = min(max(point.y(), min(line.y1(), line.y2())), max(line.y1(), line.y2()))
    return max(abs(point.x() - x), abs(point.y() - y))
