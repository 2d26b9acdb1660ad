"""Prompt, number of images, seed, presets and settings in the docker."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from ..backend.api_responses import MOST_RESULTS, PROMPT_LENGTH
from ..i18n import tr
from ..qt import QtWidgets, Signal, not_none
from .generation_settings import GenerationSettingsSection
from .parts.elided import AdaptiveRow, ElidedCheckBox
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


class PromptBox(QtWidgets.QWidget):
    """Prompt, count, seed, presets and the section with all other settings."""

    generate_wanted = Signal()
    explore_wanted = Signal()
    preset_saved = Signal()
    preset_chosen = Signal(str)
    preset_dropped = Signal(str)

    def __init__(self, icon: IconLoader) -> None:
        super().__init__()
        self._icon = icon
        self._em = self.fontMetrics().height()
        self._make_prompt()
        self._make_numbers()
        self.advanced = GenerationSettingsSection()
        self._make_generate()
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, self._em // 3, 0, 0)
        layout.setSpacing(self._em // 3)
        layout.addLayout(self._headline())
        layout.addWidget(self.prompt)
        layout.addWidget(self.advanced.negative)
        layout.addWidget(self._numbers())
        layout.addWidget(self.advanced.first)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.cut_out, 1)
        row.addWidget(self.advanced.button)
        layout.addLayout(row)
        layout.addWidget(self.advanced)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.generate, 1)
        row.addWidget(self.explore)
        layout.addLayout(row)

    def _make_prompt(self) -> None:
        self.prompt = PromptEdit()
        self.prompt.setObjectName("modelsheet_prompt")
        self.prompt.setAccessibleName(tr("Prompt"))
        self.prompt.setPlaceholderText(tr("@hero holding sword"))
        self.prompt.setMaxLength(PROMPT_LENGTH)
        self.prompt.setToolTip(
            tr(
                "What to paint. Type @ for your subjects; the arrow keys bring back earlier "
                "prompts."
            )
        )
        self.prompt.returnPressed.connect(self._on_return)
        self.presets = tool_button(self._icon, "bookmarks", tr("Your presets"))
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
        self.cut_out = ElidedCheckBox(tr("Without background"))
        self.cut_out.setObjectName("modelsheet_cut_out")
        self.cut_out.setToolTip(tr("Only the figure, on a transparent layer"))
        self.cut_out.setChecked(True)

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

    def show_presets(self, names: Sequence[str]) -> None:
        """Fill the presets' menu."""
        self._menu.clear()
        for name in names:
            add_action(self._menu, name, partial(self.preset_chosen.emit, name))
        self._menu.addSeparator()
        add_action(self._menu, tr("Save as a Preset…"), self.preset_saved.emit)
        if names:
            drop = not_none(self._menu.addMenu(tr("Remove")))
            for name in names:
                add_action(drop, name, partial(self.preset_dropped.emit, name))

    def _on_return(self) -> None:
        if self.generate.isEnabled():
            self.generate_wanted.emit()
