"""Exploring scales: from the form to a painted grid, and from a picked cell to the knobs."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from ..backend.api_requests import Explore
from ..i18n import tr
from ..image import thumbnail
from ..ui.explore_dialog import Cell, ExploreForm, GridView
from .context import Desk
from .generate import Generating
from .results import Result

CELL_LINES = 6  # how large a cell is, in lines of text


class Exploring:
    """Owns the form and the newest grid."""

    def __init__(self, desk: Desk, generating: Generating) -> None:
        self._desk, self._generating = desk, generating
        self.form: ExploreForm | None = None
        self.grid: GridView | None = None
        self._grids: dict[str, Explore] = {}
        desk.panel.box.explore_wanted.connect(lambda: desk.attempt(self.open))
        generating.results.shown.connect(self._on_shown)

    def open(self) -> None:
        """Show the form."""
        if self.form is not None:
            self.form.deleteLater()
        self.form = ExploreForm(self._desk.icon, self._desk.panel.window())
        self.form.sent.connect(lambda: self._desk.attempt(self._send))
        self.form.show()

    def _send(self) -> None:
        assert self.form is not None
        explore = self.form.explore()
        if explore is not None:
            self.form.accept()
            self._generating.start(explore, on_sent=partial(self._note, explore))

    def _note(self, explore: Explore, job_id: str) -> None:
        self._grids[job_id] = explore

    def _on_shown(self, job_id: str, results: list[Result]) -> None:
        explore = self._grids.pop(job_id, None)
        if explore is None:
            return
        panel = self._desk.panel
        ratio = panel.devicePixelRatioF()
        cells = []
        for result in results:
            side = round(panel.fontMetrics().height() * CELL_LINES * ratio)
            picture = thumbnail(result.picture, side)
            picture.setDevicePixelRatio(ratio)
            cells.append(Cell(picture, result.about))
        if self.grid is not None:
            self.grid.deleteLater()
        self.grid = GridView(results[0].prompt, cells, explore, panel.window())
        self.grid.picked.connect(partial(self._on_picked, explore, results))
        self.grid.show()
        self._generating.results.choose_only(results[0])  # hardly anybody wants all of them

    def _on_picked(self, explore: Explore, results: list[Result], place: int) -> None:
        """Select the cell's picture, and let the next ones be painted with its values."""
        row, column = divmod(place, len(explore.across.values))
        values = {explore.across.name: explore.across.values[column]}
        if explore.down is not None:
            values[explore.down.name] = explore.down.values[row]
        self._generating.results.choose_only(results[place])
        box = self._desk.panel.box
        seed = int(values.pop("seed", results[place].image.seed))
        if "inference_steps" in values:
            values["inference_steps"] = int(values["inference_steps"])
        box.fold.show_knobs(replace(box.fold.knobs(), **values))
        box.random.setChecked(False)
        box.seed.setValue(min(seed, box.seed.maximum()))
        assert self.grid is not None
        self.grid.said.setText(tr("The next pictures are painted with these values."))
