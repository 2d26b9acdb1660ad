"""Job cards in the docker: the running ones, and the queue of those that wait."""

from __future__ import annotations

from collections.abc import Sequence

from ..i18n import tr, trn
from ..qt import QtCore, QtGui, QtWidgets, Signal
from .job_card import JobCard, JobRow
from .widgets import FoldButton, IconLoader

DROP_INDICATOR_HEIGHT = 2  # px
MOST_PINNED = 2  # one that paints and one that learns


class JobListWidget(QtWidgets.QWidget):
    """One card per job. Each kind is a queue of its own: a job moves among its kind only.

    The widget itself, which stays in view, has the jobs that have begun; `waiting` has the others
    and belongs into the scroll area; `toggle` shows and hides it.
    """

    wanted = Signal(str, str)  # job id; action of a JobCard's button
    moved = Signal(str, object)  # job id; id of the job to move it before, or None for the end

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        self.cards: dict[str, JobCard] = {}
        self._is_compact = self._has_waiting = False
        self._is_chosen = False  # by the artist, whether the queue is shown
        self._layout = QtWidgets.QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self.waiting = QtWidgets.QWidget()
        self._waiting_layout = QtWidgets.QVBoxLayout(self.waiting)
        self._waiting_layout.setContentsMargins(0, 0, 0, 0)
        self.waiting.hide()
        self.toggle = FoldButton(
            "modelsheet_waiting",
            tr("Show the jobs that wait, to change their order or cancel them"),
        )
        self.toggle.toggled.connect(self._on_toggled)
        self.toggle.clicked.connect(self._on_chosen)
        self._layout.addWidget(self.toggle)
        self._drop_indicator = QtWidgets.QFrame(self.waiting)
        self._drop_indicator.setAutoFillBackground(True)
        self._drop_indicator.setBackgroundRole(QtGui.QPalette.ColorRole.Highlight)
        self._drop_indicator.hide()
        self._on_toggled(False)

    def show_rows(self, rows: Sequence[JobRow]) -> None:
        """Show one card per row, in this order."""
        for gone in set(self.cards) - {row.job_id for row in rows}:
            self.cards.pop(gone).deleteLater()
        begun = [row for row in rows if row.is_begun or not row.is_waiting][:MOST_PINNED]
        if sum(row.kind != "describe" for row in rows) == 1:
            begun = list(rows)[:MOST_PINNED]  # it waits for the worker, or for a look at layers
        waiting = [row for row in rows if row not in begun]
        self._fill(self._layout, begun)
        self._fill(self._waiting_layout, waiting)
        text = trn("{count} job waits", "{count} jobs wait", len(waiting))
        self.toggle.setText(text)
        self._has_waiting = bool(waiting)
        self.toggle.setVisible(self._has_waiting)
        self._on_toggled(self.toggle.isChecked())
        self._update_movable()

    def _fill(self, layout: QtWidgets.QVBoxLayout, rows: Sequence[JobRow]) -> None:
        for index, row in enumerate(rows):
            card = self.cards.get(row.job_id) or self._add(row.job_id)
            if layout.indexOf(card) != index:
                layout.insertWidget(index, card)  # out of the other layout, if it was there
            card.show_row(row)

    def set_compact(self, is_compact: bool) -> None:
        """Show the running job's trial pictures small."""
        self._is_compact = is_compact
        for card in self.cards.values():
            card.set_compact(is_compact)

    def prefer_open(self, is_open: bool) -> None:
        """Show the queue, or not, until the artist decides."""
        if not self._is_chosen:
            self.toggle.setChecked(is_open)

    def _on_chosen(self) -> None:
        self._is_chosen = True

    def _on_toggled(self, is_open: bool) -> None:
        self.waiting.setVisible(is_open and self._has_waiting)

    def _add(self, job_id: str) -> JobCard:
        card = self.cards[job_id] = JobCard(job_id, self._icon)
        card.set_compact(self._is_compact)
        card.wanted.connect(self.wanted)
        card.dragged.connect(self._on_dragged)
        card.dropped.connect(self._on_dropped)
        card.stepped.connect(self._on_stepped)
        return card

    def _update_movable(self) -> None:
        for card in self.cards.values():
            queue = self._same_queue(card)
            card.set_movable(card in queue and len(queue) > 1)

    def _same_queue(self, card: JobCard) -> list[JobCard]:
        """Return the waiting cards of this card's queue in order, itself included."""
        shown = [one for one in self.cards.values() if one.parentWidget() is self.waiting]
        shown.sort(key=self._waiting_layout.indexOf)
        return [one for one in shown if one.row.is_waiting and one.row.kind == card.row.kind]

    def _index_at(self, card: JobCard, height: int) -> int:
        """Return the index in the queue for a card dropped at `height`, in px of `waiting`."""
        others = [one for one in self._same_queue(card) if one is not card]
        return sum(one.geometry().center().y() < height for one in others)

    def _on_dragged(self, job_id: str, position: QtCore.QPoint) -> None:
        card = self.cards[job_id]
        others = [one for one in self._same_queue(card) if one is not card]
        index = self._index_at(card, self.waiting.mapFromGlobal(position).y())
        if index < len(others):
            edge = others[index].geometry().top() - self._waiting_layout.spacing() // 2
        else:
            edge = others[-1].geometry().bottom() + self._waiting_layout.spacing() // 2
        edge = max(0, min(edge, self.waiting.height() - DROP_INDICATOR_HEIGHT))
        self._drop_indicator.setGeometry(0, edge, self.waiting.width(), DROP_INDICATOR_HEIGHT)
        self._drop_indicator.raise_()
        self._drop_indicator.show()

    def _on_dropped(self, job_id: str, position: QtCore.QPoint) -> None:
        self._drop_indicator.hide()
        card = self.cards[job_id]
        self._move(card, self._index_at(card, self.waiting.mapFromGlobal(position).y()))

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
