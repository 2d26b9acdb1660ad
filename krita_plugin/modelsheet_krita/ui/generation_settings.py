"""Generation settings: their widgets in a collapsible section, and their values."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from ..backend.api_responses import BaseModelView
from ..i18n import tr
from ..qt import QtCore, QtWidgets, plain_label
from .model_list import paints_sprites
from .parts.elided import ElidedCheckBox
from .widgets import CollapsibleSection, buddy, may_be_narrow, spin_box

SAMPLERS = ("DPM++ 2M Karras", "UniPC", "Euler", "Euler a", "DDIM", "LCM")


@dataclass(frozen=True)
class GenerationSettings:
    """Values of the section, also those of a preset; 0 and "" are the model's own."""

    negative_prompt: str = ""
    size: str = "model"  # or canvas, selection
    sampler: str = ""
    inference_steps: int = 0
    guidance_scale: float = 0.0
    unet_scale: float = 1.0
    text_encoder_scale: float = 1.0
    source: str = "nothing"  # or canvas, layer, picture: the init image
    strength: int = 60  # of the init image that may change, in percent
    tiling: bool = False
    subjects_by: str = "adapter"  # or references, both
    pixel_art: bool | None = None  # None: as the layers of the prompt's subjects are


class GenerationSettingsSection(CollapsibleSection):
    """Shows and reads the settings; `first` holds those that are always visible."""

    def __init__(self) -> None:
        super().__init__(tr("More"), "modelsheet_more", tr("Settings that are seldom changed"))
        self.image_size = _choice(
            "modelsheet_size",
            tr("How large the pictures are"),
            (tr("Model's size"), "model"),
            (tr("Canvas size"), "canvas"),
            (tr("Selection size"), "selection"),
        )
        self.source = _choice(
            "modelsheet_source",
            tr("What the painting starts from"),
            (tr("Empty (new figure)"), "nothing"),
            (tr("The canvas"), "canvas"),
            (tr("The active layer"), "layer"),
            (tr("A result"), "picture"),
        )
        self._start = ""
        self._make_strength()
        self.negative = QtWidgets.QLineEdit()
        self.negative.setObjectName("modelsheet_negative")
        self.negative.setToolTip(tr("What must not be in the picture"))
        self.negative.setAccessibleName(tr("Avoid (negative prompt)"))
        self.negative.setPlaceholderText(tr("Avoid (negative prompt)"))
        self.sampler = _choice(
            "modelsheet_sampler",
            tr("How noise becomes a picture"),
            (tr("The model's own"), ""),
            *((name, name) for name in SAMPLERS),
        )
        self.steps = spin_box("modelsheet_steps", 0, 200, tr("More steps take longer"))
        self.steps.setSpecialValueText(tr("auto"))
        self.guidance = _decimal("modelsheet_guidance", 30.0, tr("How closely the prompt is kept"))
        self.guidance.setSpecialValueText(tr("auto"))
        self.subjects_by = _choice(
            "modelsheet_subjects_by",
            tr("What paints the subject, if its model takes pictures"),
            (tr("What was learnt"), "adapter"),
            (tr("Its pictures"), "references"),
            (tr("Both together"), "both"),
        )
        self.unet = _decimal("modelsheet_unet", 2.0, tr("How strongly the subject is drawn"))
        self.text = _decimal("modelsheet_text", 2.0, tr("How strongly its name is read"))
        self.tiling = ElidedCheckBox(tr("Seamless tile"))
        self.tiling.setObjectName("modelsheet_tiling")
        self.pixel_art = ElidedCheckBox(tr("Pixel art"))
        self.pixel_art.setObjectName("modelsheet_pixel_art")
        self.pixel_art.setToolTip(
            tr(
                "On the pixel grid, with hard edges and few colours. On by itself where the "
                "subject's layers are pixel art and its model paints sprites."
            )
        )
        self.pixel_art.clicked.connect(self._on_pixel_art_chosen)
        self._is_pixel_art_chosen = self._is_pixel_art_subject = False
        self._paints_sprites = True
        self.first = QtWidgets.QWidget()
        self._fill_first()
        self._fill_section()
        self.show_settings(GenerationSettings())

    def _make_strength(self) -> None:
        self.strength = spin_box("modelsheet_strength", 0, 100, tr("How much of it may change"))
        self.strength.setSuffix(" %")
        self.strength.setMinimumWidth(1)  # the slider beside it says the same
        self._slider = QtWidgets.QSlider(QtCore.Qt.Orientation.Horizontal)
        self._slider.setObjectName("modelsheet_strength_slider")
        self._slider.setRange(0, 100)
        self._slider.setMinimumWidth(1)  # 0 would leave the style its own
        self._slider.setToolTip(self.strength.toolTip())
        self._slider.setAccessibleName(tr("Strength"))
        self._slider.valueChanged.connect(self.strength.setValue)
        self.strength.valueChanged.connect(self._slider.setValue)
        self._strength_row = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(self._strength_row)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self.strength)
        self._source_hint = plain_label()
        self._source_hint.setObjectName("modelsheet_source_hint")
        self._source_hint.setWordWrap(True)
        self._source_hint.setEnabled(False)

    def _fill_first(self) -> None:
        grid = QtWidgets.QGridLayout(self.first)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        self._strength_label = buddy(tr("Strength"), self.strength)
        for row, (label, widget) in enumerate(
            (
                (buddy(tr("Size"), self.image_size), self.image_size),
                (buddy(tr("Start from"), self.source), self.source),
                (self._strength_label, self._strength_row),
            )
        ):
            grid.addWidget(label, row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self._source_hint, grid.rowCount(), 0, 1, 2)
        self.source.currentIndexChanged.connect(self._on_source)

    def _fill_section(self) -> None:
        layout = QtWidgets.QVBoxLayout(self.inside)
        layout.setContentsMargins(self.fontMetrics().height() // 2, 0, 0, 0)
        layout.addWidget(self.pixel_art)
        layout.addWidget(self.tiling)
        self.expert = CollapsibleSection(
            tr("Expert"), "modelsheet_expert", tr("Settings of the model itself")
        )
        layout.addWidget(self.expert)
        grid = QtWidgets.QGridLayout(self.expert.inside)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setColumnStretch(1, 1)
        for row, (label, widget) in enumerate(
            (
                (tr("Method"), self.sampler),
                (tr("Steps"), self.steps),
                (tr("Prompt strictness"), self.guidance),
                (tr("Character by"), self.subjects_by),
                (tr("Character strength"), self.unet),
                (tr("Name strength"), self.text),
            )
        ):
            grid.addWidget(buddy(label, widget), row, 0)
            grid.addWidget(widget, row, 1)

    def settings(self) -> GenerationSettings:
        """Return the values in the widgets."""
        return GenerationSettings(
            negative_prompt=self.negative.text().strip(),
            size=self.image_size.currentData(),
            sampler=self.sampler.currentData(),
            inference_steps=self.steps.value(),
            guidance_scale=self.guidance.value(),
            unet_scale=self.unet.value(),
            text_encoder_scale=self.text.value(),
            source=self.source.currentData(),
            strength=self.strength.value(),
            tiling=self.tiling.isChecked(),
            subjects_by=self.subjects_by.currentData(),
            pixel_art=self.pixel_art.isChecked() if self._is_pixel_art_chosen else None,
        )

    def show_settings(self, settings: GenerationSettings) -> None:
        """Show the values in the widgets."""
        self.negative.setText(settings.negative_prompt)
        for box, key in (
            (self.image_size, settings.size),
            (self.sampler, settings.sampler),
            (self.source, settings.source),
            (self.subjects_by, settings.subjects_by),
        ):
            box.setCurrentIndex(max(0, box.findData(key)))
        self.steps.setValue(settings.inference_steps)
        self.guidance.setValue(settings.guidance_scale)
        self.unet.setValue(settings.unet_scale)
        self.text.setValue(settings.text_encoder_scale)
        self.strength.setValue(settings.strength)
        self.tiling.setChecked(settings.tiling)
        self._is_pixel_art_chosen = settings.pixel_art is not None
        self.pixel_art.setChecked(bool(settings.pixel_art))
        self._show_pixel_art()
        self._on_source()

    def follow_subject(self, is_pixel_art: bool) -> None:
        """Say if the prompt's subjects are pixel art."""
        self._is_pixel_art_subject = is_pixel_art
        self._show_pixel_art()

    def _show_pixel_art(self) -> None:
        """Show what the backend does of itself, unless the artist has chosen."""
        if not self._is_pixel_art_chosen:
            self.pixel_art.setChecked(self._is_pixel_art_subject and self._paints_sprites)

    def _on_pixel_art_chosen(self, _: bool) -> None:
        self._is_pixel_art_chosen = True

    def show_expert(self) -> None:
        """Open the section down to the settings of the model, which have been changed."""
        self.button.setChecked(True)
        self.expert.button.setChecked(True)

    def offer_result(self) -> None:
        """Select the chosen result as the init image."""
        self.source.setCurrentIndex(self.source.findData("picture"))

    def follow_model(self, model: BaseModelView | None) -> None:
        """Say how large the model of the prompt paints, and offer what it can do; None is unknown.

        What was chosen and it cannot do goes back to the default.
        """
        side = model.resolution if model else 0
        text = tr("{side} × {side} (model's)", side=side) if side else tr("Model's size")
        self.image_size.setItemText(self.image_size.findData("model"), text)
        offered = (model.samplers if model else ()) or SAMPLERS
        if self.sampler.currentData() not in ("", *offered):
            self.sampler.setCurrentIndex(0)
        for name in SAMPLERS:
            if name not in offered:
                self.sampler.removeItem(self.sampler.findData(name))  # -1 is none
        for place, name in enumerate((each for each in SAMPLERS if each in offered), 1):
            if self.sampler.findData(name) < 0:
                self.sampler.insertItem(place, name, name)
        self._paints_sprites = model is None or paints_sprites(model)
        self._show_pixel_art()
        can_tile = model is None or model.tiles_seamlessly
        self.tiling.setVisible(can_tile)
        if not can_tile:
            self.tiling.setChecked(False)

    def show_start(self, result: str) -> None:
        """Say which result is the init image; "" is the one that is selected."""
        self._start = result
        self._on_source()

    def _on_source(self) -> None:
        """Show the strength only with an init image, which also sets the size."""
        can_change = self.source.currentData() != "nothing"
        self._strength_label.setVisible(can_change)
        self._strength_row.setVisible(can_change)
        hint = _source_hint(self.source.currentData(), self._start)
        self._source_hint.setText(hint)
        self._source_hint.setVisible(can_change)
        self.source.setToolTip(hint)
        self.image_size.setDisabled(can_change)


def _source_hint(source: str, start: str) -> str:
    """Return the sentence that says what starting from this does."""
    if source == "canvas":
        return tr("Changes what is selected. Without background: adds a new figure there.")
    if source == "layer":
        return tr("Changes the figure on this layer; it stays where it is.")
    if source == "picture" and start:
        return tr(
            "Changes {result}. For another, select it and choose “A result” again.", result=start
        )
    if source == "picture":
        return tr("Changes the result that is selected below.")
    return tr("Paints a new figure. It goes to the middle of the selection, or of the canvas.")


def decode_settings(entries: dict[str, Any]) -> GenerationSettings:
    """Build settings from a saved preset; entries that this version does not know are ignored."""
    known = {field.name for field in fields(GenerationSettings)}
    return GenerationSettings(**{name: value for name, value in entries.items() if name in known})


def _choice(name: str, tooltip: str, *entries: tuple[str, str]) -> QtWidgets.QComboBox:
    """Make a box of entries: a title and its key each."""
    box = QtWidgets.QComboBox()
    for title, key in entries:
        box.addItem(title, key)
    box.setObjectName(name)
    box.setToolTip(tooltip)
    # Long words must not set the docker's width.
    box.setSizeAdjustPolicy(
        QtWidgets.QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    )
    box.setMinimumContentsLength(6)
    may_be_narrow(box)
    return box


def _decimal(name: str, most: float, tooltip: str) -> QtWidgets.QDoubleSpinBox:
    box = QtWidgets.QDoubleSpinBox()
    box.setObjectName(name)
    box.setRange(0.0, most)
    box.setSingleStep(0.1)
    box.setDecimals(2)
    box.setLocale(QtCore.QLocale(QtCore.QLocale.Language.C))
    box.setToolTip(tooltip)
    may_be_narrow(box)
    return box
