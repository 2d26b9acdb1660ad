"""Prompt, number of images, seed, presets and settings in the docker."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from ..backend.api_responses import MOST_RESULTS, PROMPT_LENGTH
from ..i18n import tr
from ..qt import QtWidgets, Signal, not_none, plain_label
from .explore_dialog import axis_title
from .generation_settings import GenerationSettings, GenerationSettingsSection
from .parts.elided import AdaptiveRow, ElidedCheckBox, ElidedLabel
from .prompt_edit import PromptEdit
from .widgets import (
    IconLoader,
    Policy,
    add_action,
    buddy,
    heading,
    push_button,
    spin_box,
    tool_button,
)

LARGEST_SEED = 2**31 - 1  # what a spin box can hold
MENU_CHARACTERS = 50  # of a prompt in a menu


class SubjectPlaces(QtWidgets.QWidget):
    """Says where each of several subjects is painted; hidden while the prompt names fewer."""

    place_wanted = Signal(str)  # the subject

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        self._shown: dict[str, str] = {}
        self.text = plain_label()
        self.text.setObjectName("modelsheet_places")
        self.text.setWordWrap(True)
        self._rows = QtWidgets.QVBoxLayout()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(self._rows)
        self.hide()

    def show_places(self, places: Mapping[str, str]) -> None:
        """Show each subject with the name of its layer, or with a button to make one."""
        if places == self._shown:
            return
        self._shown = dict(places)
        while (item := self._rows.takeAt(0)) is not None:
            old = not_none(item.widget())
            old.hide()
            old.deleteLater()
        for subject, layer in places.items():
            self._rows.addWidget(self._make_row(subject, layer))
        self.text.setText(
            tr("Each is painted where its layer has pixels.")
            if all(places.values())
            else tr(
                "Several names in one prompt blend into one figure, unless each has a layer that "
                "shows its place."
            )
        )
        self.setVisible(bool(places))

    def _make_row(self, subject: str, layer: str) -> QtWidgets.QWidget:
        if layer:
            return ElidedLabel(tr("@{subject}: layer “{layer}”", subject=subject, layer=layer))
        text = tr("Place @{subject} at the Selection", subject=subject)
        button = push_button(self._icon, "select-all", text, f"modelsheet_place_{subject}")
        button.setToolTip(
            tr(
                "Adds a layer “@{subject}” over the selection; paint on it to change the place, "
                "hide it when the picture is done",
                subject=subject,
            )
        )
        button.setSizePolicy(Policy.Ignored, Policy.Fixed)  # a long name must not set the width
        button.clicked.connect(lambda: self.place_wanted.emit(subject))
        return button


class PromptBox(QtWidgets.QWidget):
    """Prompt, count, seed, presets and the section with all other settings."""

    generate_wanted = Signal()
    explore_wanted = Signal()
    preset_saved = Signal()
    preset_chosen = Signal(str)
    preset_dropped = Signal(str)
    prompt_saved = Signal()
    prompt_chosen = Signal(str)
    prompt_dropped = Signal(str)

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        self._em = self.fontMetrics().height()
        self._make_prompt()
        self.places = SubjectPlaces(icon)
        self._make_numbers()
        self.advanced = GenerationSettingsSection()
        self._make_changes()
        self._make_generate()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, self._em // 3, 0, 0)
        layout.setSpacing(self._em // 3)
        layout.addLayout(self._headline())
        layout.addWidget(self.prompt)
        layout.addWidget(self.advanced.negative)
        layout.addWidget(self.places)
        layout.addWidget(self._numbers())
        layout.addWidget(self.advanced.first)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.cut_out, 1)
        row.addWidget(self.advanced.button)
        layout.addLayout(row)
        layout.addWidget(self.advanced)
        layout.addWidget(self.changes)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.generate, 1)
        row.addWidget(self.explore)
        layout.addLayout(row)

    def _make_prompt(self) -> None:
        self.prompt = PromptEdit(PROMPT_LENGTH)
        self.prompt.setObjectName("modelsheet_prompt")
        self.prompt.setAccessibleName(tr("Prompt"))
        self.prompt.setPlaceholderText(tr("@hero holding sword"))
        self.prompt.setToolTip(
            tr(
                "What to paint. Type @ for your subjects; the arrow keys bring back earlier "
                "prompts, Shift+Enter starts a new line."
            )
        )
        self.prompt.returnPressed.connect(self._on_return)
        self.presets = tool_button(self._icon, "bookmarks", tr("Your presets and prompts"))
        self.presets.setObjectName("modelsheet_presets")
        self.presets.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        self._menu = QtWidgets.QMenu(self.presets)
        self.presets.setMenu(self._menu)

    def _make_numbers(self) -> None:
        self.count = spin_box("modelsheet_count", 1, MOST_RESULTS, tr("How many pictures"))
        tip = tr("The same seed paints the same")
        self.seed = spin_box("modelsheet_seed", 0, LARGEST_SEED, tip)
        self.seed.setButtonSymbols(QtWidgets.QAbstractSpinBox.ButtonSymbols.NoButtons)
        self.seed.setSizePolicy(Policy.Ignored, Policy.Fixed)
        self.random = tool_button(self._icon, "view-refresh", tr("A new seed each time"))
        self.random.setObjectName("modelsheet_random")
        self.random.setCheckable(True)
        self.random.setChecked(True)
        self.seed.setDisabled(True)
        self.random.toggled.connect(self.seed.setDisabled)
        self._is_seed_fixed = False  # by the program; what the artist types is in view
        self.cut_out = ElidedCheckBox(tr("Without background"))
        self.cut_out.setObjectName("modelsheet_cut_out")
        self.cut_out.setToolTip(tr("Only the figure, on a transparent layer"))
        self.cut_out.setChecked(True)

    def _make_changes(self) -> None:
        """Make the row that says which hidden settings are not the defaults."""
        self.changes = QtWidgets.QWidget()
        self.changes_text = plain_label()
        self.changes_text.setObjectName("modelsheet_changes")
        self.changes_text.setWordWrap(True)
        self.reset = tool_button(self._icon, "edit-undo", tr("Back to the defaults"))
        self.reset.setObjectName("modelsheet_reset")
        self.reset.clicked.connect(self._on_reset)
        row = QtWidgets.QHBoxLayout(self.changes)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.changes_text, 1)
        row.addWidget(self.reset)
        advanced = self.advanced
        for number in (advanced.steps, advanced.guidance, advanced.unet, advanced.text):
            number.valueChanged.connect(self._show_changes)
        advanced.sampler.currentIndexChanged.connect(self._show_changes)
        advanced.tiling.toggled.connect(self._show_changes)
        for signal in (self.seed.valueChanged, self.random.toggled):
            signal.connect(self._on_seed_chosen)
        self._show_changes()

    def _changed_settings(self) -> list[str]:
        now, usual = self.advanced.settings(), GenerationSettings()
        names = ("unet_scale", "text_encoder_scale", "guidance_scale", "inference_steps")
        found = [
            f"{axis_title(name)} {getattr(now, name):g}"
            for name in names
            if getattr(now, name) != getattr(usual, name)
        ]
        found += [now.sampler] * (now.sampler != usual.sampler)
        found += [tr("Seamless tile")] * now.tiling
        return found + [tr("seed {seed}", seed=self.seed.value())] * self._is_seed_fixed

    def described_changes(self) -> str:
        """Describe the settings under More that are not the defaults, and a seed that was fixed."""
        return " · ".join(self._changed_settings())

    def _show_changes(self) -> None:
        changes = self.described_changes()
        self.changes.setVisible(bool(changes))
        self.changes_text.setText(tr("Not the defaults: {settings}", settings=changes))

    def fix_seed(self, seed: int) -> None:
        """Paint with the seed of an earlier picture from now on."""
        self.random.setChecked(False)
        self.seed.setValue(min(seed, self.seed.maximum()))
        self._is_seed_fixed = True
        self._show_changes()

    def _on_seed_chosen(self) -> None:
        self._is_seed_fixed = False
        self._show_changes()

    def _on_reset(self) -> None:
        usual = GenerationSettings()
        self.advanced.show_settings(
            replace(
                self.advanced.settings(),
                sampler=usual.sampler,
                inference_steps=usual.inference_steps,
                guidance_scale=usual.guidance_scale,
                unet_scale=usual.unet_scale,
                text_encoder_scale=usual.text_encoder_scale,
                tiling=usual.tiling,
            )
        )
        self.random.setChecked(True)

    def _make_generate(self) -> None:
        self.generate = push_button(
            self._icon, "media-playback-start", tr("Generate"), "modelsheet_generate"
        )
        self.generate.setToolTip(tr("Paint; the document changes only when you press Apply"))
        self.generate.clicked.connect(self.generate_wanted)
        explain = tr("Explore strengths: a grid of pictures to pick from")
        self.explore = tool_button(self._icon, "krita_tool_grid", explain)
        self.explore.setObjectName("modelsheet_explore")
        self.explore.clicked.connect(self.explore_wanted)

    def _headline(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        row.addWidget(heading(tr("Prompt")), 1)
        row.addWidget(self.presets)
        return row

    def _numbers(self) -> AdaptiveRow:
        count, seed = QtWidgets.QWidget(), QtWidgets.QWidget()
        for field, widgets in (
            (count, (buddy(tr("Pictures"), self.count), self.count)),
            (seed, (buddy(tr("Seed"), self.seed), self.seed, self.random)),
        ):
            row = QtWidgets.QHBoxLayout(field)
            row.setContentsMargins(0, 0, 0, 0)
            for widget in widgets:
                row.addWidget(widget, 1 if widget is self.seed else 0)
        return AdaptiveRow(count, seed)

    def show_saved(self, presets: Sequence[str], prompts: Sequence[str]) -> None:
        """Fill the menu of presets and saved prompts."""
        self._menu.clear()
        for names, chosen in ((presets, self.preset_chosen), (prompts, self.prompt_chosen)):
            for name in names:
                add_action(self._menu, _shortened(name), partial(chosen.emit, name))
            self._menu.addSeparator()
        earlier = not_none(self._menu.addMenu(tr("Earlier Prompts")))
        earlier.aboutToShow.connect(partial(self._fill_earlier, earlier))
        add_action(self._menu, tr("Save This Prompt"), self.prompt_saved.emit)
        add_action(self._menu, tr("Save as a Preset…"), self.preset_saved.emit)
        if presets or prompts:
            drop = not_none(self._menu.addMenu(tr("Remove")))
            for names, dropped in ((presets, self.preset_dropped), (prompts, self.prompt_dropped)):
                for name in names:
                    add_action(drop, _shortened(name), partial(dropped.emit, name))

    def _fill_earlier(self, menu: QtWidgets.QMenu) -> None:
        menu.clear()
        for prompt in self.prompt.history():
            add_action(menu, _shortened(prompt), partial(self.prompt.setText, prompt))

    def _on_return(self) -> None:
        if self.generate.isEnabled():
            self.generate_wanted.emit()


def _shortened(text: str) -> str:
    """Return a text for a menu's entry: one line, no mnemonic, not too long."""
    line = " ".join(text.split()).replace("&", "&&")
    return line if len(line) <= MENU_CHARACTERS else line[: MENU_CHARACTERS - 1] + "…"
