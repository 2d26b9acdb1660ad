"""Overlay on Krita's canvas widget: shows an image where it would lie, and is never part of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..i18n import tr
from ..image import Image, to_qimage
from ..qt import QtCore, QtGui, QtWidgets, not_none
from .geometry import Box

if TYPE_CHECKING:
    from krita import View

CONTROLLER = "KisCanvasController"  # Krita's scroll area around a canvas
TOLERANCE = 2  # px by which Krita rounds the size of its scroll area
POINTS = 72.0  # per inch
FRAME = QtGui.QColor(255, 170, 0)


@dataclass(frozen=True)
class CanvasTransform:
    """Place of a canvas in its widget: the document's corner in widget px, and px per px."""

    x: float
    y: float
    scale: float

    def to_widget(self, box: Box) -> QtCore.QRectF:
        """Return a box of the document in widget px."""
        x, y, width, height = (self.scale * value for value in box)
        return QtCore.QRectF(self.x + x, self.y + y, width, height)


class CanvasOverlay(QtCore.QObject):
    """Shows one image on the canvas of a view; hides it where its place is not certain.

    Krita 5.1 tells no transform from the document to the widget. It follows from the scroll area
    around the canvas: its ranges give the document's size on the screen, its values the offset.
    """

    def __init__(self) -> None:
        super().__init__()
        self._widget: _ImageWidget | None = None
        self._area: QtWidgets.QAbstractScrollArea | None = None
        self._view: View | None = None
        self._box: Box = (0, 0, 1, 1)

    @property
    def is_shown(self) -> bool:
        """True while the image can be seen."""
        return self._widget is not None and not self._widget.isHidden()

    def show(self, view: View, image: Image, box: Box) -> None:
        """Show the image over `box` of the view's document."""
        area = find_canvas_area(view.window().qwindow())
        if area is None:
            self.hide()
            return
        if area is not self._area:
            self.hide()
            self._attach(area)
        self._view, self._box = view, box
        assert self._widget is not None
        self._widget.show_image(image)
        self._place()

    def hide(self) -> None:
        """Remove the image from the canvas."""
        widget, area = self._widget, self._area
        self._widget = self._area = None
        if area is not None and widget is not None:
            for bar in (area.horizontalScrollBar(), area.verticalScrollBar()):
                not_none(bar).valueChanged.disconnect(self._place)
            area.destroyed.disconnect(self._on_destroyed)
            widget.hide()
            widget.deleteLater()

    def _attach(self, area: QtWidgets.QAbstractScrollArea) -> None:
        self._area = area
        self._widget = _ImageWidget(not_none(area.viewport()))
        for bar in (area.horizontalScrollBar(), area.verticalScrollBar()):
            not_none(bar).valueChanged.connect(self._place)
        area.destroyed.connect(self._on_destroyed)

    def _on_destroyed(self) -> None:
        """Forget the widgets: the view was closed, and they with it."""
        self._widget = self._area = None

    def _place(self) -> None:
        if self._widget is None or self._area is None or self._view is None:
            return
        transform = canvas_transform(self._area, self._view)
        if transform is None:
            self._widget.hide()
        else:
            self._widget.place(transform.to_widget(self._box))


def find_canvas_area(window: QtWidgets.QMainWindow) -> QtWidgets.QAbstractScrollArea | None:
    """Return the scroll area around the canvas in front; `window` is Krita's.

    Only its middle is searched: all of Krita's dockers together take a hundred times longer.
    """
    middle = window.centralWidget()
    windows = middle.findChild(QtWidgets.QMdiArea) if middle is not None else None
    front = windows.currentSubWindow() if windows is not None else None
    if front is None:
        return None
    for area in front.findChildren(QtWidgets.QAbstractScrollArea):
        if not_none(area.metaObject()).className() == CONTROLLER:
            return area
    return None


def canvas_transform(area: QtWidgets.QAbstractScrollArea, view: View) -> CanvasTransform | None:
    """Return where the view's document lies in the area's viewport; None if that is uncertain.

    It is uncertain while the canvas is turned, mirrored or wrapped, and when no scroll bar fits the
    zoom; one of them may reach further, to a reference image beside the canvas. Krita tells its
    zoom in points, some versions in pixels.
    """
    canvas, document = view.canvas(), view.document()
    if canvas is None or document is None:  # the view was closed
        return None
    if canvas.rotation() or canvas.mirror() or canvas.wrapAroundMode():
        return None
    viewport = not_none(area.viewport())
    bars = not_none(area.horizontalScrollBar()), not_none(area.verticalScrollBar())
    sides = (viewport.width(), viewport.height())
    lengths = [bar.minimum() + bar.maximum() + side for bar, side in zip(bars, sides)]
    size = document.width(), document.height()
    zoom = canvas.zoomLevel() / area.devicePixelRatioF()
    for scale in (zoom * POINTS / document.resolution(), zoom):
        if any(abs(length - scale * side) <= TOLERANCE for length, side in zip(lengths, size)):
            return CanvasTransform(-bars[0].value(), -bars[1].value(), scale)
    return None


class _ImageWidget(QtWidgets.QWidget):
    """Paints the image with a frame and a word; the mouse goes through it to the canvas."""

    def __init__(self, parent: QtWidgets.QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_canvas_preview")
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_NoSystemBackground)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self._image = QtGui.QImage()
        self._shown: Image | None = None
        self._target = QtCore.QRectF()
        self.hide()

    def show_image(self, image: Image) -> None:
        if image is not self._shown:
            self._shown, self._image = image, to_qimage(image)
            self.update()

    def place(self, target: QtCore.QRectF) -> None:
        """Cover `target`, and the word above it, as far as the canvas is seen.

        Does nothing while both stay: with this widget Qt repaints the canvas below it.
        """
        line = self.fontMetrics().height() + 4
        outer = target.adjusted(-2, -line, 2, 2).toAlignedRect()
        outer.setWidth(max(outer.width(), self.fontMetrics().horizontalAdvance(_word()) + 8))
        shown = outer.intersected(not_none(self.parentWidget()).rect())
        local = target.translated(-QtCore.QPointF(shown.topLeft()))
        is_visible = not shown.isEmpty()
        if (local, shown, is_visible) == (self._target, self.geometry(), not self.isHidden()):
            return
        self._target = local
        self.setVisible(is_visible)
        self.setGeometry(shown)
        self.raise_()
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:
        painter, target = QtGui.QPainter(self), self._target
        is_reduced = target.width() < self._image.width()
        painter.setRenderHint(QtGui.QPainter.RenderHint.SmoothPixmapTransform, is_reduced)
        painter.drawImage(target, self._image)
        frame = QtGui.QPen(FRAME, 1, QtCore.Qt.PenStyle.DashLine)
        painter.setPen(frame)
        painter.drawRect(target.adjusted(-1, -1, 0, 0))
        metrics = self.fontMetrics()
        tag = QtCore.QRectF(
            target.x() - 1,
            max(0.0, target.y() - metrics.height() - 2),
            metrics.horizontalAdvance(_word()) + 6,
            metrics.height() + 1,
        )
        painter.fillRect(tag, FRAME)
        painter.setPen(QtCore.Qt.GlobalColor.black)
        painter.drawText(tag, QtCore.Qt.AlignmentFlag.AlignCenter, _word())


def _word() -> str:
    return tr("Preview")
