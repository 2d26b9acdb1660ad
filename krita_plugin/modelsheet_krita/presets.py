"""The artist's own presets: named settings of the knobs."""

from __future__ import annotations

from .desk import Desk
from .qt import QtWidgets
from .words import tr


class Presets:
    """Between the menu and what the docker remembers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        box = desk.panel.box
        box.preset_chosen.connect(self._on_chosen)
        box.preset_saved.connect(self._on_saved)
        box.preset_dropped.connect(self._on_dropped)
        self._show()

    def _show(self) -> None:
        self._desk.panel.box.show_presets(sorted(self._desk.preferences.presets()))

    def _on_chosen(self, name: str) -> None:
        knobs = self._desk.preferences.presets().get(name)
        if knobs is not None:
            self._desk.panel.box.fold.show_knobs(knobs)

    def _on_saved(self) -> None:
        panel = self._desk.panel
        name, is_ok = QtWidgets.QInputDialog.getText(
            panel, tr("Save as a Preset"), tr("What shall it be called?")
        )
        if is_ok and name.strip():
            self.save(name.strip())

    def save(self, name: str) -> None:
        """Keep what the knobs say now under that name."""
        self._desk.preferences.save_preset(name, self._desk.panel.box.fold.knobs())
        self._show()

    def _on_dropped(self, name: str) -> None:
        self._desk.preferences.drop_preset(name)
        self._show()
