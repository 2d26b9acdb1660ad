"""Explore strengths: from the dialog to a generated grid, and from a picked cell to the docker."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from ..backend.api_requests import Explore
from ..i18n import tr
from ..image import sharp_thumbnail
from ..results.result import Result
from ..ui.explore_dialog import ExploreDialog, ExploreGrid, GridCell
from ..ui.panel import Panel
from .generate import GenerateController
from .jobs import Jobs
from .notices import Notices
from .results import Results

CELL_LINES = 6  # height of a cell in lines of text


class ExploreController:
    """Owns the newest dialog and the newest grid."""

    def __init__(
        self,
        panel: Panel,
        notices: Notices,
        jobs: Jobs,
        results: Results,
        generate: GenerateController,
    ) -> None:
        self._panel, self._notices, self._jobs = panel, notices, jobs
        self._results, self._generate = results, generate
        self.dialog: ExploreDialog | None = None
        self.grid: ExploreGrid | None = None
        self._requests: dict[str, Explore] = {}  # by job id
        panel.box.explore_wanted.connect(notices.guard(self.open))
        results.on_shown = self._on_shown

    def open(self) -> None:
        """Show the dialog."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = dialog = ExploreDialog(
            self._panel.icon, self._panel.window(), self._jobs.seconds_per_image()
        )
        dialog.sent.connect(self._notices.guard(partial(self._send, dialog)))
        dialog.show()

    def _send(self, dialog: ExploreDialog) -> None:
        explore = dialog.explore()
        if explore is not None:
            dialog.accept()
            self._generate.submit(explore, on_submitted=partial(self._remember, explore))

    def _remember(self, explore: Explore, job_id: str) -> None:
        self._requests[job_id] = explore

    def _on_shown(self, job_id: str, results: list[Result]) -> None:
        explore = self._requests.pop(job_id, None)
        if explore is None:
            return
        ratio = self._panel.devicePixelRatioF()
        side = self._panel.fontMetrics().height() * CELL_LINES
        cells = [
            GridCell(sharp_thumbnail(one.image, side, ratio), one.description) for one in results
        ]
        if self.grid is not None:
            self.grid.deleteLater()
        self.grid = grid = ExploreGrid(results[0].prompt, cells, explore, self._panel.window())
        grid.picked.connect(partial(self._on_picked, grid, explore, results))
        grid.show()
        self._results.choose_only(results[0])  # hardly any artist wants all of them

    def _on_picked(
        self, grid: ExploreGrid, explore: Explore, results: list[Result], number: int
    ) -> None:
        """Select the cell's result and copy its values to the settings for the next images."""
        row, column = divmod(number, len(explore.across.values))
        values: dict[str, Any] = {explore.across.name: explore.across.values[column]}
        if explore.down is not None:
            values[explore.down.name] = explore.down.values[row]
        self._results.choose_only(results[number])
        box = self._panel.box
        seed = int(values.pop("seed", results[number].generated.seed))
        if "inference_steps" in values:
            values["inference_steps"] = int(values["inference_steps"])
        box.advanced.show_settings(replace(box.advanced.settings(), **values))
        box.fix_seed(seed)
        box.advanced.show_expert()
        grid.hint.setText(
            tr(
                "The next pictures are painted with {settings}. The arrow above “Generate” goes "
                "back to the defaults.",
                settings=box.described_changes(),
            )
        )
