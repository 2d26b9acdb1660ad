"""The artist's own presets: named settings of the knobs."""

from __future__ import annotations

from ..i18n import tr
from ..ui.name_dialog import NameForm
from .context import Desk


class Presets:
    """Between the menu and what the docker remembers."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.form: NameForm | None = None
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
        if self.form is not None:
            self.form.deleteLater()
        self.form = NameForm(
            self._desk.icon,
            self._desk.panel.window(),
            tr("Save as a Preset"),
            name="",
            tip=tr("What the bookmark's menu calls it"),
            judge=lambda name: "" if name else tr("What shall it be called?"),
            explain=self._explain,
        )
        self.form.sent.connect(self._on_named)
        self.form.show()

    def _explain(self, name: str) -> str:
        if name in self._desk.preferences.presets():
            return tr("The preset of that name will be replaced.")
        return tr("It keeps what stands under More.")

    def _on_named(self, name: str) -> None:
        assert self.form is not None
        self.form.accept()
        self.save(name)

    def save(self, name: str) -> None:
        """Keep what the knobs say now under that name."""
        self._desk.preferences.save_preset(name, self._desk.panel.box.fold.knobs())
        self._show()

    def _on_dropped(self, name: str) -> None:
        self._desk.preferences.drop_preset(name)
        self._show()
