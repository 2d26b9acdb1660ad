"""The form that shows what will be learnt from, and asks what the subject is called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..backend.api_responses import CLASS_NOUN_LENGTH, IDENTIFIER_LENGTH
from ..document.layer_sources import Wish
from ..i18n import tr
from ..qt import QtCore, QtWidgets, Signal
from .image_table import PictureTable
from .widgets import IconSource, Notice, buddy

DEFAULT_PRESET = "balanced"


@dataclass(frozen=True)
class LearnWish:
    """What the artist entered."""

    name: str
    class_noun: str
    identifier: str
    preset: str
    base_model: str


class LearnForm(QtWidgets.QDialog):
    """Shows, asks, and says each change; the controller judges."""

    changed = Signal()
    reading_wanted = Signal()  # the pictures, in another way
    cost_wanted = Signal()
    sent = Signal()

    def __init__(self, icon: IconSource, parent: QtWidgets.QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_learn_form")
        self.setWindowTitle(tr("Learn Subject from Layers"))
        self._em = self.fontMetrics().height()
        self._noun_touched = False
        self.pictures = PictureTable(icon)
        self.remarks = Notice(icon, "modelsheet_remarks")
        self._make_ways()
        self._make_lines()
        self._build(icon)
        self.name.textChanged.connect(self.changed)
        self.preset.currentIndexChanged.connect(self.cost_wanted)
        self.base_model.currentIndexChanged.connect(self.cost_wanted)
        self.pictures.changed.connect(self.changed)
        self.class_noun.editTextChanged.connect(self.changed)
        self.class_noun.lineEdit().textEdited.connect(self._on_noun_edited)
        self.class_noun.activated.connect(self._on_noun_edited)

    def _make_ways(self) -> None:
        """What of the selected layers is read; each is shown only where it makes a difference."""
        self.groups = QtWidgets.QComboBox()
        self.groups.setObjectName("modelsheet_groups")
        self.groups.setAccessibleName(tr("How groups are read"))
        self.groups.setToolTip(tr("One picture of the whole group, or one of each layer in it"))
        self.groups.addItem(tr("Each group is one picture"), False)
        self.groups.addItem(tr("Each layer in a group is a picture"), True)
        self.frames = QtWidgets.QCheckBox(tr("Each frame of an animation is a picture"))
        self.frames.setObjectName("modelsheet_frames")
        self.frames.setChecked(True)
        self.inside = QtWidgets.QCheckBox(tr("Only what is inside the selection"))
        self.inside.setObjectName("modelsheet_inside")
        self.inside.setChecked(True)
        self.groups.activated.connect(self.reading_wanted)
        self.frames.clicked.connect(self.reading_wanted)
        self.inside.clicked.connect(self.reading_wanted)

    def _make_lines(self) -> None:
        self.name = _line("modelsheet_name", tr("for example: hero"))
        self.name.setToolTip(tr("What you call it; prompts name it so, after an @"))
        self.hint = _hint("modelsheet_hint")
        self.class_noun = self._noun_box()
        self.noun_hint = _hint("modelsheet_noun_hint")
        self.identifier = _line("modelsheet_identifier", tr("chosen for you"))
        self.identifier.setMaxLength(IDENTIFIER_LENGTH)
        self.identifier.setToolTip(
            tr("A rare word that the model will take for this subject's name")
        )
        self.preset = QtWidgets.QComboBox()
        self.preset.setObjectName("modelsheet_preset")
        self.preset.setToolTip(tr("How long it learns; the likeness grows with it"))
        self.base_model = QtWidgets.QComboBox()
        self.base_model.setObjectName("modelsheet_base_model")
        self.base_model.setToolTip(tr("The model that learns; it must be there to paint, too"))
        self._base_label = buddy(tr("Base model"), self.base_model)
        self.cost = QtWidgets.QLabel()
        self.cost.setObjectName("modelsheet_cost")
        self.cost.setWordWrap(True)
        self.cost.setMinimumHeight(3 * self._em)  # so that the form does not jump

    def _build(self, icon: IconSource) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow(buddy(tr("Name"), self.name), self.name)
        form.addRow("", self.hint)
        form.addRow(buddy(tr("What it is"), self.class_noun), self.class_noun)
        form.addRow("", self.noun_hint)
        form.addRow(buddy(tr("Identifier"), self.identifier), self.identifier)
        form.addRow(buddy(tr("Quality"), self.preset), self.preset)
        form.addRow(self._base_label, self.base_model)
        form.addRow("", self.cost)
        roles = QtWidgets.QDialogButtonBox.ButtonRole
        buttons = QtWidgets.QDialogButtonBox()
        self.learn = buttons.addButton(tr("Learn"), roles.AcceptRole)
        self.learn.setObjectName("modelsheet_send")
        self.learn.setIcon(icon("dialog-ok"))
        cancel = buttons.addButton(tr("Cancel"), roles.RejectRole)
        cancel.setIcon(icon("dialog-cancel"))
        buttons.accepted.connect(self.sent)
        buttons.rejected.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setSpacing(self._em // 2)
        self.count = QtWidgets.QLabel()
        layout.addWidget(self.count)
        for way in (self.groups, self.frames, self.inside):
            layout.addWidget(way)
        layout.addWidget(self.pictures, 1)
        layout.addWidget(self.remarks)
        layout.addLayout(form)
        layout.addWidget(buttons)
        self.resize(self._em * 32, self._em * 38)

    def _noun_box(self) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.setObjectName("modelsheet_class_noun")
        box.setEditable(True)
        box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        box.lineEdit().setPlaceholderText(tr("for example: human woman"))
        self._known_nouns = QtCore.QStringListModel(box)
        completer = QtWidgets.QCompleter(self._known_nouns, box)
        completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
        box.setCompleter(completer)
        box.lineEdit().setMaxLength(CLASS_NOUN_LENGTH)
        box.setToolTip(
            tr("A common word for what the layers show; a wrong one spoils the likeness")
        )
        return box

    def show_ways(self, *, groups: bool, frames: bool, selection: bool) -> None:
        """Offer only what makes a difference for these layers."""
        self.groups.setVisible(groups)
        self.frames.setVisible(frames)
        self.inside.setVisible(selection)

    def reading(self) -> Wish:
        return Wish(
            each_child=bool(self.groups.currentData()),
            frames=self.frames.isChecked(),
            inside_selection=self.inside.isChecked(),
        )

    def show_presets(self, presets: Sequence[str]) -> None:
        known = {
            "quick": (tr("Quick"), tr("A first impression")),
            "balanced": (tr("Balanced"), tr("The best choice for most characters")),
            "thorough": (tr("Thorough"), tr("The closest likeness; takes longest")),
        }
        self.preset.clear()
        for preset in presets:
            title, explanation = known.get(preset, (preset, ""))
            self.preset.addItem(title, preset)
            tip = QtCore.Qt.ItemDataRole.ToolTipRole
            self.preset.setItemData(self.preset.count() - 1, explanation, tip)
        self.preset.setCurrentIndex(max(0, self.preset.findData(DEFAULT_PRESET)))

    def show_base_models(self, base_models: Sequence[str]) -> None:
        """Offer the choice only where there is one."""
        self.base_model.clear()
        for base_model in base_models:
            self.base_model.addItem(base_model, base_model)
        self.base_model.setVisible(len(base_models) > 1)
        self._base_label.setVisible(len(base_models) > 1)

    def show_known_nouns(self, nouns: Sequence[str]) -> None:
        """Offer these while the artist types."""
        self._known_nouns.setStringList(list(nouns))

    def suggest(self, nouns: Sequence[str], identifiers: Sequence[str], *, is_sure: bool) -> None:
        """Offer what the backend thinks, and enter the first if it is sure; what the artist
        entered stays.
        """
        entered = self.class_noun.currentText()
        self.class_noun.clear()
        self.class_noun.addItems(list(nouns))
        keep = entered if self._noun_touched or entered or not (nouns and is_sure) else nouns[0]
        self.class_noun.setEditText(keep)
        if identifiers:
            said = tr("chosen for you, for example: {word}", word=identifiers[0])
            self.identifier.setPlaceholderText(said)

    def show_judgement(self, hint: str, noun_hint: str, *, lacking: str) -> None:
        """`lacking`: why it cannot be sent yet, or nothing."""
        self.hint.setText(hint)
        self.noun_hint.setText(noun_hint)
        self.noun_hint.setVisible(bool(noun_hint))
        self.learn.setEnabled(not lacking)
        self.learn.setToolTip(lacking)

    def wish(self) -> LearnWish:
        return LearnWish(
            name=self.name.text().strip(),
            class_noun=self.class_noun.currentText().strip(),
            identifier=self.identifier.text().strip(),
            preset=self.preset.currentData() or DEFAULT_PRESET,
            base_model=self.base_model.currentData() or "",
        )

    def _on_noun_edited(self) -> None:
        self._noun_touched = True


def _hint(name: str) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setObjectName(name)
    label.setWordWrap(True)
    return label


def _line(name: str, placeholder: str) -> QtWidgets.QLineEdit:
    line = QtWidgets.QLineEdit()
    line.setObjectName(name)
    line.setPlaceholderText(placeholder)
    return line
