"""Preview of the selected result on the canvas, before it is applied."""

from __future__ import annotations

from typing import Callable

from ..document.canvas_overlay import CanvasOverlay
from ..document.document import OpenDocument
from ..errors import PluginError
from ..qt import QtCore
from ..results.apply_results import placement_in
from ..ui.panel import Panel
from .results import Results
from .saved_state import SavedState

CHECK_MS = 200  # Krita does not tell of its zoom, the selection or the document in front


class ResultPreview:
    """Shows the first selected result where Apply would put it, until it is applied."""

    def __init__(
        self,
        panel: Panel,
        results: Results,
        saved_state: SavedState,
        current_document: Callable[[], OpenDocument],
    ) -> None:
        self._panel, self._results, self._saved_state = panel, results, saved_state
        self._current_document = current_document
        self._overlay = CanvasOverlay()
        self._is_applied = False  # what is selected
        self._timer = QtCore.QTimer(panel)
        self._timer.setInterval(CHECK_MS)
        self._timer.timeout.connect(self._show)
        panel.preview.setChecked(saved_state.previews())
        panel.preview.toggled.connect(self._on_toggled)
        panel.results.itemSelectionChanged.connect(self._on_selected)
        panel.apply_wanted.connect(self._on_applied)
        panel.destroyed.connect(self._overlay.hide)

    @property
    def is_shown(self) -> bool:
        """True while a result can be seen on the canvas."""
        return self._overlay.is_shown

    def _on_toggled(self, is_on: bool) -> None:
        self._saved_state.set_previews(is_on)
        self._on_selected()

    def _on_selected(self) -> None:
        self._is_applied = False
        self._show()

    def _on_applied(self) -> None:
        self._is_applied = True
        self._show()

    def _show(self) -> None:
        panel = self._panel
        selected = self._results.get(panel.results.chosen()[:1])
        is_wanted = bool(selected) and panel.preview.isChecked() and not self._is_applied
        if not is_wanted:
            self._timer.stop()
            self._overlay.hide()
            return
        if not self._timer.isActive():
            self._timer.start()
        if not panel.isVisible():
            self._overlay.hide()
            return
        try:
            document = self._current_document()
        except PluginError:
            self._overlay.hide()
            return
        document_id = self._results.document_ids.id_of(document)
        place = placement_in(document, document_id, selected[0])
        document.preview(self._overlay, selected[0].image, place)
