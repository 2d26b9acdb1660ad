"""The artist's presets, which are generation settings under a name, and saved prompts."""

from __future__ import annotations

from ..i18n import tr
from ..ui.name_dialog import NameDialog
from ..ui.panel import Panel
from .saved_state import SavedPrompt, SavedState


class PresetController:
    """Connects the menu of presets and prompts with the saved state."""

    def __init__(self, panel: Panel, saved_state: SavedState) -> None:
        self._panel, self._saved_state = panel, saved_state
        self.dialog: NameDialog | None = None
        panel.box.preset_chosen.connect(self._load)
        panel.box.preset_saved.connect(self._ask_name)
        panel.box.preset_dropped.connect(self._drop)
        panel.box.prompt_saved.connect(self._save_prompt)
        panel.box.prompt_chosen.connect(self._load_prompt)
        panel.box.prompt_dropped.connect(self._drop_prompt)
        self._show()

    def save(self, name: str) -> None:
        """Save the present settings under that name."""
        self._saved_state.save_preset(name, self._panel.box.advanced.settings())
        self._show()

    def _show(self) -> None:
        prompts = [one.text for one in self._saved_state.saved_prompts()]
        self._panel.box.show_saved(sorted(self._saved_state.presets()), prompts)

    def _save_prompt(self) -> None:
        box = self._panel.box
        text = box.prompt.text().strip()
        if text:
            self._saved_state.save_prompt(SavedPrompt(text, box.advanced.negative.text().strip()))
            self._show()

    def _load_prompt(self, text: str) -> None:
        box = self._panel.box
        prompt = next((one for one in self._saved_state.saved_prompts() if one.text == text), None)
        if prompt is not None:
            box.prompt.setText(prompt.text)
            box.advanced.negative.setText(prompt.negative)

    def _drop_prompt(self, text: str) -> None:
        self._saved_state.drop_prompt(text)
        self._show()

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
