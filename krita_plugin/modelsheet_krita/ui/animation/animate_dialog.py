"""Form for a character's model sheet: drawings, views, actions, a preview that plays, and results.

It is not modal: the artist corrects key views on the canvas while it is open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from ...i18n import tr
from ...qt import QtCore, QtGui, QtWidgets, Signal
from ...view_names import VIEWS, title_of
from ..parts.elided import AdaptiveRow, ElidedCheckBox, HintLabel
from ..widgets import (
    CollapsibleSection,
    IconLoader,
    Notice,
    add_action,
    buddy,
    heading,
    push_button,
    tool_button,
)
from .drawing_list import DrawingList
from .fit_editor import FitEditor
from .frame_player import FramePlayer, PlayedFrame

ACTION_COLUMNS = 3
SIZES = (16, 24, 32, 48, 64, 96, 128)
KEY_VIEWS = ""  # instead of an action's name
ATLASES = {"aseprite": "Aseprite/Phaser", "texturepacker": "TexturePacker", "godot": "Godot"}


@dataclass(frozen=True)
class ActionRow:
    """One action that can be ticked."""

    name: str
    title: str
    tooltip: str


@dataclass(frozen=True)
class Missing:
    """Sentences on what is missing for each button, empty where it can be pressed."""

    key_views: str
    animate: str
    insert: str


class AnimateDialog(QtWidgets.QDialog):
    """Shows the form; AnimateController checks and sends it."""

    changed = Signal()
    key_views_wanted = Signal()
    animate_wanted = Signal()
    motion_wanted = Signal()  # the selected layers as an action of one's own
    insert_wanted = Signal(str)  # layers, sheet, or a name of ATLASES

    def __init__(self, icon: IconLoader, parent: QtWidgets.QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_animate_form")
        self._icon, self._em = icon, self.fontMetrics().height()
        self._pictures: Mapping[str, Mapping[str, Sequence[PlayedFrame]]] = {}
        self.remarks = Notice(icon, "modelsheet_animate_remarks")
        self.drawings = DrawingList()
        self.action_boxes: dict[str, QtWidgets.QCheckBox] = {}
        self._make_choices()
        self._make_preview()
        self._make_buttons()
        columns = QtWidgets.QHBoxLayout()
        columns.setSpacing(self._em)
        columns.addLayout(self._left(), 1)
        columns.addLayout(self._right(), 1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setSpacing(self._em // 2)
        layout.addLayout(columns, 1)
        layout.addWidget(self.remarks)
        layout.addWidget(self.hint)
        layout.addWidget(self.progress)
        layout.addLayout(self._button_row())
        self.drawings.changed.connect(self.changed)
        self.resize(58 * self._em, 38 * self._em)

    def _make_choices(self) -> None:
        self.views = {}
        for view in VIEWS:
            self.views[view] = box = ElidedCheckBox(title_of(view))
            box.setObjectName(f"modelsheet_wanted_{view}")
            box.setChecked(True)
            box.toggled.connect(self.changed)
        self._action_grid = QtWidgets.QGridLayout()
        self._action_grid.setVerticalSpacing(self._em // 4)
        self.use_motion = push_button(
            self._icon, "addlayer", tr("Use Layers as Motion…"), "modelsheet_use_motion"
        )
        self.use_motion.setToolTip(
            tr("Make an action of your own from grey figures: the frames of the selected layer")
        )
        self.use_motion.setAutoDefault(False)
        self.use_motion.clicked.connect(self.motion_wanted)
        self.size_box = QtWidgets.QComboBox()
        self.size_box.setObjectName("modelsheet_frame_size")
        self.size_box.setToolTip(tr("Height and width of a frame in pixels"))
        self.size_box.addItem(tr("As drawn"), None)
        for side in SIZES:
            self.size_box.addItem(f"{side} × {side}", side)
        self.rate = QtWidgets.QComboBox()
        self.rate.setObjectName("modelsheet_rate")
        self._is_rate_chosen = False
        self.rate.activated.connect(self._on_rate_chosen)
        self.rate.setToolTip(tr("How many frames of the document's animation make a second"))

    def _make_preview(self) -> None:
        self.player = FramePlayer()
        self.shown = QtWidgets.QComboBox()
        self.shown.setObjectName("modelsheet_shown_action")
        self.shown.setAccessibleName(tr("What the preview plays"))
        self.shown.setToolTip(tr("What the preview plays"))
        self.shown.currentIndexChanged.connect(lambda _: self._play())
        self.play = tool_button(self._icon, "media-playback-start", tr("Play or stop"))
        self.play.setObjectName("modelsheet_play")
        self.play.setCheckable(True)
        self.play.setChecked(True)
        self.play.toggled.connect(self.player.set_playing)
        self.fit = FitEditor()
        self.fit_section = CollapsibleSection(
            tr("Fit of the mannequin"),
            "modelsheet_fit_section",
            tr("Where the model sees head, neck, feet and sides; move them if a view is wrong"),
        )
        inside = QtWidgets.QVBoxLayout(self.fit_section.inside)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.fit)
        self.fit_section.hide()

    def _make_buttons(self) -> None:
        self.hint = HintLabel("modelsheet_animate_hint")
        self.progress = QtWidgets.QProgressBar()
        self.progress.setObjectName("modelsheet_animate_progress")
        self.progress.setRange(0, 1000)
        self.progress.hide()
        self.key_views = push_button(
            self._icon, "view-preview", tr("Draw the Key Views"), "modelsheet_key_views"
        )
        self.animate = push_button(
            self._icon, "media-playback-start", tr("Animate"), "modelsheet_animate"
        )
        self.insert = push_button(
            self._icon, "dialog-ok", tr("Put into the Document"), "modelsheet_insert"
        )
        self.insert_as = tool_button(self._icon, "arrow-down", tr("Use the pictures otherwise"))
        self.insert_as.setObjectName("modelsheet_insert_as")
        self.insert_as.setPopupMode(QtWidgets.QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QtWidgets.QMenu(self.insert_as)
        add_action(menu, tr("As Layers"), partial(self.insert_wanted.emit, "layers"))
        add_action(menu, tr("As a Sheet on One Layer"), partial(self.insert_wanted.emit, "sheet"))
        menu.addSeparator()
        for name, engine in ATLASES.items():
            text = tr("Save as Files for {engine}…", engine=engine)
            add_action(menu, text, partial(self.insert_wanted.emit, name))
        self.insert_as.setMenu(menu)
        self.close_button = QtWidgets.QPushButton(tr("Close"))
        self.close_button.setObjectName("modelsheet_animate_close")
        for button in (self.key_views, self.animate, self.insert, self.close_button):
            button.setAutoDefault(False)
        self.key_views.clicked.connect(self.key_views_wanted)
        self.animate.clicked.connect(self.animate_wanted)
        self.insert.clicked.connect(partial(self.insert_wanted.emit, "layers"))
        self.close_button.clicked.connect(self.reject)

    def _left(self) -> QtWidgets.QVBoxLayout:
        column = QtWidgets.QVBoxLayout()
        column.addWidget(heading(tr("Drawings")))
        column.addWidget(self.drawings)
        column.addSpacing(self._em // 2)
        column.addWidget(heading(tr("Views")))
        column.addWidget(AdaptiveRow(*self.views.values()))
        column.addSpacing(self._em // 2)
        column.addWidget(heading(tr("Actions")))
        column.addLayout(self._action_grid)
        column.addWidget(self.use_motion, 0, QtCore.Qt.AlignmentFlag.AlignLeft)
        column.addSpacing(self._em // 2)
        form = QtWidgets.QFormLayout()
        form.addRow(buddy(tr("Size of a frame"), self.size_box), self.size_box)
        form.addRow(buddy(tr("Frame rate"), self.rate), self.rate)
        column.addLayout(form)
        column.addStretch(1)
        return column

    def _right(self) -> QtWidgets.QVBoxLayout:
        column = QtWidgets.QVBoxLayout()
        row = QtWidgets.QHBoxLayout()
        row.addWidget(heading(tr("Preview")))
        row.addWidget(self.shown, 1)
        row.addWidget(self.play)
        column.addLayout(row)
        column.addWidget(self.player, 1)
        column.addWidget(self.fit_section)
        return column

    def _button_row(self) -> QtWidgets.QHBoxLayout:
        row = QtWidgets.QHBoxLayout()
        for button in (self.key_views, self.animate):
            row.addWidget(button)
        row.addStretch(1)
        for widget in (self.insert, self.insert_as, self.close_button):
            row.addWidget(widget)
        return row

    def show_actions(self, rows: Sequence[ActionRow], ticked: Sequence[str]) -> None:
        """Offer these actions; those that are ticked already stay so, else `ticked` are."""
        ticked = self.chosen_actions() or ticked
        for box in self.action_boxes.values():
            self._action_grid.removeWidget(box)
            box.hide()
            box.deleteLater()
        self.action_boxes = {}
        for number, row in enumerate(rows):
            self.action_boxes[row.name] = box = ElidedCheckBox(row.title)
            box.setObjectName(f"modelsheet_action_{row.name}")
            box.setToolTip(row.tooltip)
            box.setChecked(row.name in ticked)
            box.toggled.connect(self.changed)
            self._action_grid.addWidget(box, *divmod(number, ACTION_COLUMNS))

    def chosen_views(self) -> list[str]:
        """Return the views that are ticked."""
        return [view for view, box in self.views.items() if box.isChecked()]

    def chosen_actions(self) -> list[str]:
        """Return the names of the actions that are ticked."""
        return [name for name, box in self.action_boxes.items() if box.isChecked()]

    def frame_size(self) -> int | None:
        """Return the side of a frame in px, None for the drawings' own."""
        size: int | None = self.size_box.currentData()
        return size

    def show_rates(self, rates: Sequence[tuple[int, str]]) -> None:
        """Offer these frame rates with their texts; the first is chosen unless the artist chose."""
        chosen = self.rate.currentData() if self._is_rate_chosen else None
        self.rate.clear()
        for frames_per_second, text in rates:
            self.rate.addItem(text, frames_per_second)
        self.rate.setCurrentIndex(max(0, self.rate.findData(chosen)))

    def _on_rate_chosen(self) -> None:
        self._is_rate_chosen = True

    def show_missing(self, missing: Missing, hint: str) -> None:
        """Disable the buttons for which something is missing, and show a hint above them."""
        for button, sentence in (
            (self.key_views, missing.key_views),
            (self.animate, missing.animate),
            (self.insert, missing.insert),
        ):
            button.setEnabled(not sentence)
            button.setToolTip(sentence)
        self.insert_as.setEnabled(not missing.insert)
        self.hint.setText(hint)

    def show_progress(self, text: str, fraction: float = 0.0) -> None:
        """Show the progress of what runs; an empty text hides it."""
        self.progress.setVisible(bool(text))
        self.progress.setFormat(text)
        self.progress.setValue(round(1000 * fraction))

    def show_pictures(
        self,
        pictures: Mapping[str, Mapping[str, Sequence[PlayedFrame]]],
        titles: Mapping[str, str],
    ) -> None:
        """Play these pictures, by action and view; the newest action is chosen."""
        self._pictures = pictures
        offered = [self.shown.itemData(row) for row in range(self.shown.count())]
        if offered != list(pictures):
            self.shown.blockSignals(True)
            self.shown.clear()
            for name in pictures:
                self.shown.addItem(titles.get(name, name), name)
            self.shown.setCurrentIndex(self.shown.count() - 1)
            self.shown.blockSignals(False)
        self._play()

    def _play(self) -> None:
        self.player.show_frames(self._pictures.get(str(self.shown.currentData() or ""), {}))

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        super().showEvent(event)
        self.key_views.setFocus()
