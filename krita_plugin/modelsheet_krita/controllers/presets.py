"""The artist's presets: generation settings under a name."""

from __future__ import annotations

from ..i18n import tr
from ..ui.name_dialog import NameDialog
from ..ui.panel import Panel
from .saved_state import SavedState


class PresetController:
    """Connects the presets' menu with the saved state."""

    def __init__(self, panel: Panel, saved_state: SavedState) -> None:
        self._panel, self._saved_state = panel, saved_state
        self.dialog: NameDialog | None = None
        panel.box.preset_chosen.connect(self._load)
        panel.box.preset_saved.connect(self._ask_name)
        panel.box.preset_dropped.connect(self._drop)
        self._show()

    def save(self, name: str) -> None:
        """Save the present settings under that name."""
        self._saved_state.save_preset(name, self._panel.box.advanced.settings())
        self._show()

    def _show(self) -> None:
        self._panel.box.show_presets(sorted(self._saved_state.presets()))

    def _load(self, name: str) -> None:
        settings = self._saved_state.presets().get(name)
        if settings is not None:
            self._panel.box.advanced.show_settings(settings)

    def _ask_name(self) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = NameDialog(
            self._panel.icon,
            self._panel.window(),
            tr("Save as a Preset"),
            name="",
            tip=tr("Its name in the menu of presets"),
            validate=lambda name: "" if name else tr("Give the preset a name."),
            explain=self._explain,
        )
        self.dialog.sent.connect(self._on_named)
        self.dialog.show()

    def _explain(self, name: str) -> str:
        if name in self._saved_state.presets():
            return tr("The preset of that name will be replaced.")
        return tr("Saves all settings.")

    def _on_named(self, name: str) -> None:
        assert self.dialog is not None
        self.dialog.accept()
        self.save(name)

    def _drop(self, name: str) -> None:
        self._saved_state.drop_preset(name)
        self._show()
