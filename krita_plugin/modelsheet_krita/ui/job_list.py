"""All jobs in the docker, in the order in which they are done; those that wait can be moved."""

from __future__ import annotations

from collections.abc import Sequence

from ..qt import QtCore, QtGui, QtWidgets, Signal
from .job_card import JobCard, JobLine
from .widgets import IconSource

MARK_HEIGHT = 2  # px


class JobCards(QtWidgets.QWidget):
    """Each kind of job is a queue of its own: a job moves among those of its kind only."""

    wanted = Signal(str, str)  # job id; what a JobCard's buttons say
    learning_shown = Signal()  # for the first time
    moved = Signal(str, object)  # job id; the one that it shall precede, or None for the end

    def __init__(self, icon: IconSource) -> None:
        super().__init__()
        self._icon = icon
        self.cards: dict[str, JobCard] = {}
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._mark = QtWidgets.QFrame(self)
        self._mark.setAutoFillBackground(True)
        self._mark.setBackgroundRole(QtGui.QPalette.ColorRole.Highlight)
        self._mark.hide()

    def show_lines(self, lines: Sequence[JobLine]) -> None:
        for gone in set(self.cards) - {line.job_id for line in lines}:
            card = self.cards.pop(gone)
            self._layout.removeWidget(card)
            card.deleteLater()
        if any(line.is_learning and line.job_id not in self.cards for line in lines):
            self.learning_shown.emit()
        for place, line in enumerate(lines):
            card = self.cards.get(line.job_id) or self._add(line.job_id)
            if self._layout.indexOf(card) != place:
                self._layout.removeWidget(card)
                self._layout.insertWidget(place, card)
            card.show_line(line)
        self._explain_moving()

    def _add(self, job_id: str) -> JobCard:
        card = self.cards[job_id] = JobCard(job_id, self._icon)
        card.wanted.connect(self.wanted)
        card.dragged.connect(self._on_dragged)
        card.dropped.connect(self._on_dropped)
        card.stepped.connect(self._on_stepped)
        return card

    def _explain_moving(self) -> None:
        for card in self.cards.values():
            card.let_move(card.line.is_waiting and len(self._kin(card)) > 1)

    def _kin(self, card: JobCard) -> list[JobCard]:
        """Those that wait in the card's queue, in order, itself among them."""
        shown = [self._layout.itemAt(place).widget() for place in range(self._layout.count())]
        return [one for one in shown if one.line.is_waiting and one.line.kind == card.line.kind]

    def _place_at(self, card: JobCard, height: int) -> int:
        """How many of the others in the queue lie above `height`, in this widget's pixels."""
        others = [one for one in self._kin(card) if one is not card]
        return sum(one.geometry().center().y() < height for one in others)

    def _on_dragged(self, job_id: str, at: QtCore.QPoint) -> None:
        card = self.cards[job_id]
        others = [one for one in self._kin(card) if one is not card]
        place = self._place_at(card, self.mapFromGlobal(at).y())
        if place < len(others):
            edge = others[place].geometry().top() - self._layout.spacing() // 2
        else:
            edge = others[-1].geometry().bottom() + self._layout.spacing() // 2
        edge = max(0, min(edge, self.height() - MARK_HEIGHT))
        self._mark.setGeometry(0, edge, self.width(), MARK_HEIGHT)
        self._mark.raise_()
        self._mark.show()

    def _on_dropped(self, job_id: str, at: QtCore.QPoint) -> None:
        self._mark.hide()
        card = self.cards[job_id]
        self._move(card, self._place_at(card, self.mapFromGlobal(at).y()))

    def _on_stepped(self, job_id: str, by: int) -> None:
        card = self.cards[job_id]
        kin = self._kin(card)
        place = kin.index(card) + by
        if 0 <= place < len(kin):
            self._move(card, place)

    def _move(self, card: JobCard, place: int) -> None:
        """To `place` among the others of its queue."""
        kin = self._kin(card)
        if place == kin.index(card):
            return
        others = [one for one in kin if one is not card]
        before = others[place].line.job_id if place < len(others) else None
        self.moved.emit(card.line.job_id, before)
