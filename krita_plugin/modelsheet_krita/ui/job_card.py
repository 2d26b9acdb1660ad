"""One job in the docker: how far it is, how well it learns, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal
from .widgets import ElidedLabel, IconSource, accent, give_icon, tool_button


@dataclass(frozen=True)
class JobLine:
    """One job in progress. `likeness`: probes as (step, 0..1); `total` steps go from 0."""

    job_id: str
    title: str
    detail: str
    fraction: float
    is_known: bool  # whether the fraction means something; else work just goes on
    kind: str = "generate"  # or learn, download
    is_paused: bool = False
    is_waiting: bool = False
    likeness: tuple[tuple[int, float], ...] = ()
    total: int = 0

    @property
    def is_learning(self) -> bool:
        return self.kind == "learn"


class JobCard(QtWidgets.QWidget):
    """What runs, how far it is, and ways to pause, finish, cancel, or move it in the queue."""

    wanted = Signal(str, str)  # job id; pause, resume, finish, cancel, sooner
    dragged = Signal(str, object)  # job id; where the mouse is on the screen
    dropped = Signal(str, object)  # the same, when the button is let go
    stepped = Signal(str, int)  # job id; -1 sooner, 1 later

    def __init__(self, job_id: str, icon: IconSource) -> None:
        super().__init__()
        self.setObjectName("modelsheet_job")
        self._job_id, self._icon = job_id, icon
        self.line = JobLine(job_id, "", "", 0.0, False)
        self._is_paused = False
        self._can_move = False
        self._pressed_at: QtCore.QPoint | None = None
        self._is_dragged = False
        em = self.fontMetrics().height()
        self._title = ElidedLabel()
        self._bar = QtWidgets.QProgressBar()
        self._bar.setRange(0, 1000)
        self._bar.setTextVisible(False)
        self._bar.setMaximumHeight(em // 2)
        self._detail = ElidedLabel()
        self._detail.setEnabled(False)
        self._sooner = self._button("arrow-up", tr("Do this next"), "sooner")
        self._pause = self._button("animation_pause", tr("Pause"), "pause")
        self._finish = self._button("dialog-ok", tr("Stop here and keep the best"), "finish")
        self._cancel = self._button("dialog-cancel", tr("Cancel"), "cancel")
        self.curve = LikenessCurve()
        self.likeness = QtWidgets.QLabel()
        self.likeness.setObjectName("modelsheet_likeness")
        self.likeness.setToolTip(tr("How like the subject the newest trial pictures are"))
        self.previews = QtWidgets.QHBoxLayout()
        self.previews.setSpacing(em // 4)
        self._lay_out(em)

    def _button(self, sign: str, name: str, verb: str) -> QtWidgets.QToolButton:
        button = tool_button(self._icon, sign, name)
        button.setObjectName(f"modelsheet_{verb}")
        button.clicked.connect(lambda: self._on_clicked(verb))
        return button

    def _lay_out(self, em: int) -> None:
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(em // 8)
        layout.setHorizontalSpacing(0)
        layout.addWidget(self._title, 0, 0)
        for column, button in enumerate((self._sooner, self._pause, self._finish, self._cancel), 1):
            layout.addWidget(button, 0, column)
        layout.addWidget(self._bar, 1, 0, 1, 5)
        layout.addWidget(self._detail, 2, 0, 1, 5)
        layout.addWidget(self.curve, 3, 0, 1, 4)
        layout.addWidget(self.likeness, 3, 4)
        layout.addLayout(self.previews, 4, 0, 1, 5)
        layout.setColumnStretch(0, 1)

    def show_line(self, line: JobLine) -> None:
        self.line = line
        self._title.setText(line.title)
        self._detail.setText(line.detail)
        self._bar.setRange(0, 1000 if line.is_known else 0)
        self._bar.setValue(round(line.fraction * 1000))
        self._bar.setVisible(not line.is_waiting)
        self._bar.setAccessibleName(line.title)
        self._is_paused = line.is_paused
        self._sooner.setVisible(line.is_waiting)
        self._pause.setVisible(line.is_learning)
        self._finish.setVisible(line.is_learning and not line.is_waiting and not line.is_paused)
        sign = "animation_play" if line.is_paused else "animation_pause"
        give_icon(self._pause, self._icon, sign)
        # Or the other buttons move under the mouse.
        policy = self._finish.sizePolicy()
        policy.setRetainSizeWhenHidden(line.is_learning and not line.is_waiting)
        self._finish.setSizePolicy(policy)
        name = tr("Go on learning") if line.is_paused else tr("Pause")
        self._pause.setToolTip(name)
        self._pause.setAccessibleName(name)
        self.curve.show_points(line.likeness, line.total)
        self.likeness.setText(f" {line.likeness[-1][1]:.0%}" if line.likeness else "")
        self.likeness.setVisible(len(line.likeness) > 1)

    def let_move(self, can_move: bool) -> None:
        """Whether the artist may drag it, or move it by keys."""
        if can_move == self._can_move:
            return
        self._can_move = can_move
        policy, shape = QtCore.Qt.FocusPolicy, QtCore.Qt.CursorShape
        self.setFocusPolicy(policy.StrongFocus if can_move else policy.NoFocus)
        self.setCursor(shape.OpenHandCursor if can_move else shape.ArrowCursor)
        self.layout().setContentsMargins(self._grip_width() if can_move else 0, 0, 0, 0)
        for label in (self._title, self._detail):
            label.explain(
                tr("Drag it to change the order, or press Alt and an arrow key"), can_move
            )

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._can_move and event.button() == QtCore.Qt.MouseButton.LeftButton:
            self._pressed_at, self._is_dragged = event.pos(), False
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._pressed_at is None:
            return
        far = (event.pos() - self._pressed_at).manhattanLength()
        self._is_dragged |= far >= QtWidgets.QApplication.startDragDistance()
        if self._is_dragged and self._can_move:
            self.dragged.emit(self._job_id, self.mapToGlobal(event.pos()))

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        was_dragged, self._pressed_at = self._is_dragged, None
        self._is_dragged = False
        if was_dragged:
            self.dropped.emit(self._job_id, self.mapToGlobal(event.pos()))

    def event(self, event: QtCore.QEvent) -> bool:
        # Krita's shortcuts would take these keys away.
        is_asked = event.type() == QtCore.QEvent.Type.ShortcutOverride
        if is_asked and self._can_move and _step_of(event):
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if self._can_move and _step_of(event):
            self.stepped.emit(self._job_id, _step_of(event))
        else:
            super().keyPressEvent(event)

    def _grip_width(self) -> int:
        return self.fontMetrics().height() * 3 // 4

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if not self._can_move:
            return
        painter = QtGui.QPainter(self)
        if self.hasFocus():
            option = QtWidgets.QStyleOptionFocusRect()
            option.initFrom(self)
            element = QtWidgets.QStyle.PrimitiveElement.PE_FrameFocusRect
            self.style().drawPrimitive(element, option, painter, self)
        self._paint_grip(painter)

    def _paint_grip(self, painter: QtGui.QPainter) -> None:
        """Two columns of dots at the left edge, where things are taken to be dragged."""
        dot = max(2, self._grip_width() // 5)
        group = QtGui.QPalette.ColorGroup.Disabled
        colour = self.palette().color(group, QtGui.QPalette.ColorRole.WindowText)
        top = self.height() // 2 - 3 * dot
        for row in range(3):
            for column in range(2):
                painter.fillRect(dot + 2 * dot * column, top + 2 * dot * row, dot, dot, colour)

    def show_previews(self, pictures: Sequence[QtGui.QPixmap]) -> None:
        while self.previews.count():
            self.previews.takeAt(0).widget().deleteLater()
        for picture in pictures:
            label = QtWidgets.QLabel()
            label.setPixmap(picture)
            label.setToolTip(tr("What it paints of the subject so far"))
            self.previews.addWidget(label)
        self.previews.addWidget(QtWidgets.QWidget(), 1)

    def _on_clicked(self, verb: str) -> None:
        if verb in ("cancel", "finish"):
            self._cancel.setEnabled(False)
            self._finish.setEnabled(False)
            self._detail.setText(tr("Stopping…"))
        self.wanted.emit(self._job_id, "resume" if verb == "pause" and self._is_paused else verb)

    def accept_again(self) -> None:
        """Let the buttons be pressed again, as what they asked for could not be done."""
        self._cancel.setEnabled(True)
        self._finish.setEnabled(True)


def _step_of(event: QtGui.QKeyEvent) -> int:
    """-1 for Alt and the upward arrow, 1 for the downward one, else 0."""
    if not event.modifiers() & QtCore.Qt.KeyboardModifier.AltModifier:
        return 0
    return {QtCore.Qt.Key.Key_Up: -1, QtCore.Qt.Key.Key_Down: 1}.get(event.key(), 0)


class LikenessCurve(QtWidgets.QWidget):
    """A small line of how like the subject the probes were; hidden until there are two."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_curve")
        self._points: tuple[tuple[int, float], ...] = ()
        self._total = 1
        self.setFixedHeight(self.fontMetrics().height() * 2)
        self.hide()

    def show_points(self, points: Sequence[tuple[int, float]], total: int) -> None:
        self._points, self._total = tuple(points), max(total, 1)
        self.setVisible(len(self._points) > 1)
        if self._points:
            best = max(like for _, like in self._points)
            text = tr("Likeness by step; the best so far: {best}", best=f"{best:.0%}")
            self.setToolTip(text)
            self.setAccessibleName(text)
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        roles = QtGui.QPalette.ColorRole
        area = QtCore.QRectF(self.rect()).adjusted(3, 3, -3, -3)
        painter.fillRect(self.rect(), self.palette().color(roles.Base))
        values = [like for _, like in self._points]
        low, high = min(values), max(values)
        span = max(high - low, 0.05)
        line = QtGui.QPolygonF(
            QtCore.QPointF(
                area.left() + area.width() * step / self._total,
                area.bottom() - area.height() * (like - low) / span,
            )
            for step, like in self._points
        )
        colour = accent(self.palette())
        painter.setPen(QtGui.QPen(colour, 1.5))
        painter.drawPolyline(line)
        painter.setBrush(colour)
        painter.drawEllipse(line.at(values.index(high)), 2.5, 2.5)
