"""Player of an action in several views beside each other, also while its frames arrive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...i18n import tr
from ...image import Image, as_qimage, chequerboard, visible_box
from ...qt import QtCore, QtGui, QtWidgets
from ...view_names import title_of

LEAST_LINES = 13  # height in lines of text
CELL = 8  # px of the chequerboard
MARGIN = 1  # px around what the frames show


@dataclass(frozen=True)
class PlayedFrame:
    """Picture that is shown for a time."""

    image: Image
    duration_ms: int


class FramePlayer(QtWidgets.QWidget):
    """Plays the frames of each view in a loop, each for its time, enlarged by a whole number.

    Of the frames, the part in which any of them shows something is seen.
    """

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_player")
        self._explanation = ""
        self._views: dict[str, Sequence[PlayedFrame]] = {}
        self._part = QtCore.QRect()  # of a frame
        self._index = 0
        self._timer = QtCore.QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.timeout.connect(self._advance)
        self.is_playing = True
        self.setMinimumSize(
            4 * LEAST_LINES * self.fontMetrics().height() // 2,
            LEAST_LINES * self.fontMetrics().height(),
        )

    @property
    def index(self) -> int:
        """Number of the frame that is shown."""
        return self._index

    def explain(self, sentence: str) -> None:
        """Show a sentence while there is no frame."""
        self._explanation = sentence
        self.update()

    def show_frames(self, views: Mapping[str, Sequence[PlayedFrame]]) -> None:
        """Play these frames, by view; those that are played go on where they are."""
        self._views = {view: frames for view, frames in views.items() if frames}
        self._part = _drawn_part([one.image for frames in self._views.values() for one in frames])
        names = ", ".join(map(title_of, self._views))
        self.setAccessibleName(tr("Preview: {views}", views=names))
        self._schedule()
        self.update()

    def set_playing(self, is_playing: bool) -> None:
        """Go on, or stop at the present frame."""
        self.is_playing = is_playing
        self._schedule()

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        self._schedule()

    def hideEvent(self, event: QtGui.QHideEvent) -> None:
        super().hideEvent(event)
        self._timer.stop()

    def _count(self) -> int:
        return max(map(len, self._views.values()), default=0)

    def _schedule(self) -> None:
        if self._count() < 2 or not self.is_playing or not self.isVisible():
            self._timer.stop()
        elif not self._timer.isActive():
            longest = max(self._views.values(), key=len)
            self._timer.start(max(10, longest[self._index % len(longest)].duration_ms))

    def _advance(self) -> None:
        self._index = (self._index + 1) % max(1, self._count())
        self._schedule()
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        if not self._views:
            group = QtGui.QPalette.ColorGroup.Disabled
            painter.setPen(self.palette().color(group, QtGui.QPalette.ColorRole.Text))
            option = QtGui.QTextOption(QtCore.Qt.AlignmentFlag.AlignCenter)
            painter.drawText(QtCore.QRectF(self.rect()), self._explanation, option)
            return
        columns = max(range(len(self._views), 0, -1), key=lambda one: self._grid(one)[1].width())
        cell, size = self._grid(columns)
        line = self.fontMetrics().height()
        option = QtGui.QTextOption(QtCore.Qt.AlignmentFlag.AlignCenter)
        for number, (view, frames) in enumerate(self._views.items()):
            row, column = divmod(number, columns)
            left = column * cell.width() + (cell.width() - size.width()) // 2
            top = row * cell.height() + (cell.height() - line - size.height()) // 2
            place = QtCore.QRect(QtCore.QPoint(left, top), size)
            painter.drawPixmap(place.topLeft(), chequerboard(size, CELL))
            image = frames[self._index % len(frames)].image
            painter.drawImage(place, as_qimage(image), self._part)
            caption = QtCore.QRectF(column * cell.width(), place.bottom() + 1, cell.width(), line)
            painter.drawText(caption, title_of(view), option)

    def _grid(self, columns: int) -> tuple[QtCore.QSize, QtCore.QSize]:
        """Return the size of a cell, with its caption, and of the picture in it."""
        line, rows = self.fontMetrics().height(), -(-len(self._views) // columns)
        cell = QtCore.QSize(self.width() // columns, self.height() // rows)
        room = QtCore.QSize(cell.width() - line // 2, cell.height() - line - line // 2)
        return cell, enlarged(self._part.size(), room)


def _drawn_part(images: Sequence[Image]) -> QtCore.QRect:
    """Return the part of images of one size in which any of them shows something."""
    part, whole = QtCore.QRect(), QtCore.QRect()
    for image in images:
        whole = QtCore.QRect(0, 0, image.width, image.height)
        box = visible_box(image)
        if box is not None:
            part = part.united(QtCore.QRect(*box))
    if part.isEmpty():
        return whole
    return part.adjusted(-MARGIN, -MARGIN, MARGIN, MARGIN).intersected(whole)


def enlarged(size: QtCore.QSize, room: QtCore.QSize) -> QtCore.QSize:
    """Enlarge a size by the largest whole number that fits, or reduce it to fit."""
    factor = min(room.width() // size.width(), room.height() // size.height())
    if factor >= 1:
        return size * factor
    return size.scaled(room, QtCore.Qt.AspectRatioMode.KeepAspectRatio)
