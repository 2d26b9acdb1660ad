"""List of job cards in the docker, in the order of the queue; waiting ones can be moved."""

from __future__ import annotations

from collections.abc import Sequence

from ..qt import QtCore, QtGui, QtWidgets, Signal
from .job_card import JobCard, JobRow
from .widgets import IconLoader

DROP_INDICATOR_HEIGHT = 2  # px


class JobListWidget(QtWidgets.QWidget):
    """One card per job. Each kind is a queue of its own: a job moves among its kind only."""

    wanted = Signal(str, str)  # job id; action of a JobCard's button
    learning_shown = Signal()  # for the first time
    moved = Signal(str, object)  # job id; id of the job to move it before, or None for the end

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        self.cards: dict[str, JobCard] = {}
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._drop_indicator = QtWidgets.QFrame(self)
        self._drop_indicator.setAutoFillBackground(True)
        self._drop_indicator.setBackgroundRole(QtGui.QPalette.ColorRole.Highlight)
        self._drop_indicator.hide()

    def show_rows(self, rows: Sequence[JobRow]) -> None:
        """Show one card per row, in this order."""
        for gone in set(self.cards) - {row.job_id for row in rows}:
            card = self.cards.pop(gone)
            self._layout.removeWidget(card)
            card.deleteLater()
        if any(row.is_learning and row.job_id not in self.cards for row in rows):
            self.learning_shown.emit()
        for index, row in enumerate(rows):
            card = self.cards.get(row.job_id) or self._add(row.job_id)
            if self._layout.indexOf(card) != index:
                self._layout.removeWidget(card)
                self._layout.insertWidget(index, card)
            card.show_row(row)
        self._update_movable()

    def _add(self, job_id: str) -> JobCard:
        card = self.cards[job_id] = JobCard(job_id, self._icon)
        card.wanted.connect(self.wanted)
        card.dragged.connect(self._on_dragged)
        card.dropped.connect(self._on_dropped)
        card.stepped.connect(self._on_stepped)
        return card

    def _update_movable(self) -> None:
        for card in self.cards.values():
            card.set_movable(card.row.is_waiting and len(self._same_queue(card)) > 1)

    def _same_queue(self, card: JobCard) -> list[JobCard]:
        """Return the waiting cards of this card's queue in order, itself included."""
        shown = sorted(self.cards.values(), key=self._layout.indexOf)
        return [one for one in shown if one.row.is_waiting and one.row.kind == card.row.kind]

    def _index_at(self, card: JobCard, height: int) -> int:
        """Return the index in the queue for a card dropped at `height`, in this widget's px."""
        others = [one for one in self._same_queue(card) if one is not card]
        return sum(one.geometry().center().y() < height for one in others)

    def _on_dragged(self, job_id: str, position: QtCore.QPoint) -> None:
        card = self.cards[job_id]
        others = [one for one in self._same_queue(card) if one is not card]
        index = self._index_at(card, self.mapFromGlobal(position).y())
        if index < len(others):
            edge = others[index].geometry().top() - self._layout.spacing() // 2
        else:
            edge = others[-1].geometry().bottom() + self._layout.spacing() // 2
        edge = max(0, min(edge, self.height() - DROP_INDICATOR_HEIGHT))
        self._drop_indicator.setGeometry(0, edge, self.width(), DROP_INDICATOR_HEIGHT)
        self._drop_indicator.raise_()
        self._drop_indicator.show()

    def _on_dropped(self, job_id: str, position: QtCore.QPoint) -> None:
        self._drop_indicator.hide()
        card = self.cards[job_id]
        self._move(card, self._index_at(card, self.mapFromGlobal(position).y()))

    def _on_stepped(self, job_id: str, by: int) -> None:
        card = self.cards[job_id]
        queue = self._same_queue(card)
        index = queue.index(card) + by
        if 0 <= index < len(queue):
            self._move(card, index)

    def _move(self, card: JobCard, index: int) -> None:
        """Move the card to an index in its queue."""
        queue = self._same_queue(card)
        if index == queue.index(card):
            return
        others = [one for one in queue if one is not card]
        before = others[index].row.job_id if index < len(others) else None
        self.moved.emit(card.row.job_id, before)
