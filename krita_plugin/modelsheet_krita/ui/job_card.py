"""Card of one job in the docker: progress, likeness curve, previews and buttons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none, plain_label
from .parts.elided import ElidedLabel
from .parts.trial_pictures import LikenessCurve, PreviewStrip
from .widgets import IconLoader, set_icon, tool_button


@dataclass(frozen=True)
class JobRow:
    """Data of one card. `likeness`: measured as (step, 0..1); `total` is the number of steps."""

    job_id: str
    title: str
    detail: str
    fraction: float  # 0 while it is not known
    kind: str = "generate"  # or learn, download
    is_paused: bool = False
    is_waiting: bool = False
    is_begun: bool = False
    likeness: tuple[tuple[int, float], ...] = ()
    total: int = 0

    @property
    def is_learning(self) -> bool:
        """True for a job that learns a subject."""
        return self.kind == "learn"

    @property
    def can_finish(self) -> bool:
        """True if the job can stop now and keep what it has learnt."""
        return self.is_learning and not self.is_waiting and not self.is_paused and self.is_begun


class JobCard(QtWidgets.QWidget):
    """Shows a job; its buttons pause or stop it, and it can be moved in the queue."""

    wanted = Signal(str, str)  # job id; pause, resume, stop, sooner
    dragged = Signal(str, object)  # job id; position of the mouse on the screen
    dropped = Signal(str, object)  # the same, when the button is let go
    stepped = Signal(str, int)  # job id; -1 sooner, 1 later

    def __init__(self, job_id: str, icon: IconLoader) -> None:
        super().__init__()
        self.setObjectName("modelsheet_job")
        self._job_id, self._icon = job_id, icon
        self.row = JobRow(job_id, "", "", 0.0)
        self._is_movable = self._is_compact = False
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
        self._stop = self._button("dialog-cancel", tr("Cancel"), "stop")
        self.curve = LikenessCurve()
        self.likeness = plain_label()
        self.likeness.setObjectName("modelsheet_likeness")
        self.likeness.setToolTip(tr("How like the subject the newest trial pictures are"))
        self.previews = PreviewStrip()
        self._trial = QtWidgets.QBoxLayout(QtWidgets.QBoxLayout.Direction.TopToBottom)
        self._lay_out(em)

    def _button(self, icon_name: str, name: str, action: str) -> QtWidgets.QToolButton:
        button = tool_button(self._icon, icon_name, name)
        button.setObjectName(f"modelsheet_{action}")
        button.clicked.connect(lambda: self._on_clicked(action))
        return button

    def _lay_out(self, em: int) -> None:
        layout = QtWidgets.QGridLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setVerticalSpacing(em // 8)
        layout.setHorizontalSpacing(0)
        layout.addWidget(self._title, 0, 0)
        for column, button in enumerate((self._sooner, self._pause, self._stop), 1):
            layout.addWidget(button, 0, column)
        layout.addWidget(self._bar, 1, 0, 1, 4)
        layout.addWidget(self._detail, 2, 0, 1, 4)
        measured = QtWidgets.QHBoxLayout()
        measured.setSpacing(0)
        measured.addWidget(self.curve, 1)
        measured.addWidget(self.likeness)
        self._trial.setSpacing(em // 4)
        self._trial.addLayout(measured, 2)
        self._trial.addWidget(self.previews, 3)
        layout.addLayout(self._trial, 3, 0, 1, 4)
        layout.setColumnStretch(0, 1)

    def show_row(self, row: JobRow) -> None:
        """Show the job's present state."""
        self.row = row
        self._title.setText(row.title)
        self._detail.setText(row.detail)
        self._bar.setValue(round(row.fraction * 1000))
        self._bar.setVisible(not row.is_waiting)
        self._bar.setAccessibleName(row.title)
        self._sooner.setVisible(row.is_waiting)
        self._pause.setVisible(row.is_learning)
        set_icon(self._pause, self._icon, "animation_play" if row.is_paused else "animation_pause")
        name = tr("Go on learning") if row.is_paused else tr("Pause")
        self._pause.setToolTip(name)
        self._pause.setAccessibleName(name)
        self.curve.show_points(row.likeness, row.total)
        self.likeness.setText(f" {row.likeness[-1][1]:.0%}" if row.likeness else "")
        self._show_trial()

    def set_compact(self, is_compact: bool) -> None:
        """Show the trial pictures small and beside the curve, or large and below it."""
        self._is_compact = is_compact
        self._show_trial()

    def _show_trial(self) -> None:
        """Show curve and pictures; a waiting job has its line alone."""
        is_measured = self.curve.has_points() and not self.row.is_waiting
        self.curve.setVisible(is_measured)
        self.likeness.setVisible(is_measured)
        self.previews.setVisible(self.previews.count() > 0 and not self.row.is_waiting)
        self.previews.set_lines(2 if self._is_compact else 4)
        directions = QtWidgets.QBoxLayout.Direction
        beside, below = directions.LeftToRight, directions.TopToBottom
        self._trial.setDirection(beside if self._is_compact else below)

    def set_movable(self, is_movable: bool) -> None:
        """Let the artist drag the card or move it by keys, or not."""
        if is_movable == self._is_movable:
            return
        self._is_movable = is_movable
        policy, shape = QtCore.Qt.FocusPolicy, QtCore.Qt.CursorShape
        self.setFocusPolicy(policy.StrongFocus if is_movable else policy.NoFocus)
        self.setCursor(shape.OpenHandCursor if is_movable else shape.ArrowCursor)
        not_none(self.layout()).setContentsMargins(self._grip_width() if is_movable else 0, 0, 0, 0)
        for label in (self._title, self._detail):
            label.explain(
                tr("Drag it to change the order, or press Alt and an arrow key"), is_movable
            )

    def mousePressEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._is_movable and event.button() == QtCore.Qt.MouseButton.LeftButton:
            self._pressed_at, self._is_dragged = event.pos(), False
        else:
            super().mousePressEvent(event)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent) -> None:
        if self._pressed_at is None:
            return
        far = (event.pos() - self._pressed_at).manhattanLength()
        self._is_dragged |= far >= QtWidgets.QApplication.startDragDistance()
        if self._is_dragged and self._is_movable:
            self.dragged.emit(self._job_id, self.mapToGlobal(event.pos()))

    def mouseReleaseEvent(self, event: QtGui.QMouseEvent) -> None:
        was_dragged, self._pressed_at = self._is_dragged, None
        self._is_dragged = False
        if was_dragged:
            self.dropped.emit(self._job_id, self.mapToGlobal(event.pos()))

    def event(self, event: QtCore.QEvent) -> bool:
        # Krita's shortcuts would take these keys away.
        if event.type() == QtCore.QEvent.Type.ShortcutOverride:
            assert isinstance(event, QtGui.QKeyEvent)
            if self._is_movable and _step_of(event):
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        if self._is_movable and _step_of(event):
            self.stepped.emit(self._job_id, _step_of(event))
        else:
            super().keyPressEvent(event)

    def _grip_width(self) -> int:
        return self.fontMetrics().height() * 3 // 4

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        if not self._is_movable:
            return
        painter = QtGui.QPainter(self)
        if self.hasFocus():
            option = QtWidgets.QStyleOptionFocusRect()
            option.initFrom(self)
            element = QtWidgets.QStyle.PrimitiveElement.PE_FrameFocusRect
            not_none(self.style()).drawPrimitive(element, option, painter, self)
        self._paint_grip(painter)

    def _paint_grip(self, painter: QtGui.QPainter) -> None:
        """Paint the grip: two columns of dots at the left edge."""
        dot = max(2, self._grip_width() // 5)
        group = QtGui.QPalette.ColorGroup.Disabled
        colour = self.palette().color(group, QtGui.QPalette.ColorRole.WindowText)
        top = self.height() // 2 - 3 * dot
        for row in range(3):
            for column in range(2):
                painter.fillRect(dot + 2 * dot * column, top + 2 * dot * row, dot, dot, colour)

    def show_previews(self, pixmaps: Sequence[QtGui.QPixmap]) -> None:
        """Show images that the subject's training has generated so far."""
        self.previews.show_pixmaps(pixmaps)
        self._show_trial()

    def show_stopping(self) -> None:
        """Disable the button: the job ends after its present step."""
        self._stop.setEnabled(False)
        self._detail.setText(tr("Stopping…"))

    def _on_clicked(self, action: str) -> None:
        is_resumed = action == "pause" and self.row.is_paused
        self.wanted.emit(self._job_id, "resume" if is_resumed else action)

    def enable_buttons(self) -> None:
        """Enable the button again after a request failed."""
        self._stop.setEnabled(True)


def _step_of(event: QtGui.QKeyEvent) -> int:
    """Return -1 for Alt and the upward arrow, 1 for the downward one, else 0."""
    if not event.modifiers() & QtCore.Qt.KeyboardModifier.AltModifier:
        return 0
    steps: dict[int, int] = {QtCore.Qt.Key.Key_Up: -1, QtCore.Qt.Key.Key_Down: 1}
    return steps.get(event.key(), 0)
