"""Dialog to learn a subject: its images, name, class noun, preset and base model."""

from __future__ import annotations

from collections.abc import Sequence

from ..backend.api_requests import LearnRequest
from ..backend.api_responses import CLASS_NOUN_LENGTH, IDENTIFIER_LENGTH
from ..i18n import tr
from ..image import ReadOptions
from ..qt import QtCore, QtWidgets, Signal, not_none
from .image_table import ImageTable
from .parts.elided import HintLabel
from .widgets import CollapsibleSection, IconLoader, Notice, buddy, dialog_buttons

DEFAULT_PRESET = "balanced"


class LearnDialog(QtWidgets.QDialog):
    """Shows images and asks for the entries; LearnController checks them."""

    changed = Signal()
    read_wanted = Signal()  # with other read options
    estimate_wanted = Signal()
    sent = Signal()

    def __init__(self, icon: IconLoader, parent: QtWidgets.QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_learn_form")
        self.setWindowTitle(tr("Learn Subject from Layers"))
        self._em = self.fontMetrics().height()
        self._noun_touched = False
        self.images = ImageTable(icon)
        self.remarks = Notice(icon, "modelsheet_remarks")
        self._make_read_options()
        self._make_fields()
        self._build(icon)
        self.name.textChanged.connect(self.changed)
        self.preset.currentIndexChanged.connect(self.estimate_wanted)
        self.base_model.currentIndexChanged.connect(self.estimate_wanted)
        self.images.changed.connect(self.changed)
        self.class_noun.editTextChanged.connect(self.changed)
        not_none(self.class_noun.lineEdit()).textEdited.connect(self._on_noun_edited)
        self.class_noun.activated.connect(self._on_noun_edited)

    def _make_read_options(self) -> None:
        """Make the read options; each is shown only where it makes a difference."""
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
        self.groups.activated.connect(self.read_wanted)
        self.frames.clicked.connect(self.read_wanted)
        self.inside.clicked.connect(self.read_wanted)

    def _make_fields(self) -> None:
        self.name = _line("modelsheet_name", tr("for example: hero"))
        self.name.setToolTip(tr("What you call it; prompts name it so, after an @"))
        self.hint = HintLabel("modelsheet_hint")
        self.class_noun = self._noun_box()
        self.noun_hint = HintLabel("modelsheet_noun_hint")
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
        self.estimate = QtWidgets.QLabel()
        self.estimate.setObjectName("modelsheet_cost")
        self.estimate.setWordWrap(True)
        self.estimate.setMinimumHeight(3 * self._em)  # so that the form does not jump

    def _build(self, icon: IconLoader) -> None:
        form = QtWidgets.QFormLayout()
        form.addRow(buddy(tr("Name"), self.name), self.name)
        form.addRow("", self.hint)
        form.addRow(buddy(tr("What it is"), self.class_noun), self.class_noun)
        form.addRow("", self.noun_hint)
        form.addRow(buddy(tr("Quality"), self.preset), self.preset)
        form.addRow(self._base_label, self.base_model)
        form.addRow("", self.estimate)
        self.expert = CollapsibleSection(
            tr("Expert"), "modelsheet_learn_expert", tr("What is chosen for you otherwise")
        )
        expert = QtWidgets.QFormLayout(self.expert.inside)
        expert.addRow(buddy(tr("Secret word"), self.identifier), self.identifier)
        buttons, self.learn = dialog_buttons(self, icon, tr("Learn"))
        self.learn.setObjectName("modelsheet_send")
        buttons.accepted.connect(self.sent)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setSpacing(self._em // 2)
        self.count = QtWidgets.QLabel()
        layout.addWidget(self.count)
        for option in (self.groups, self.frames, self.inside):
            layout.addWidget(option)
        layout.addWidget(self.images, 1)
        layout.addWidget(self.remarks)
        layout.addLayout(form)
        layout.addWidget(self.expert)
        layout.addWidget(buttons)
        self.resize(self._em * 32, self._em * 38)

    def _noun_box(self) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.setObjectName("modelsheet_class_noun")
        box.setEditable(True)
        box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        edit = not_none(box.lineEdit())
        edit.setPlaceholderText(tr("for example: human woman"))
        self._known_nouns = QtCore.QStringListModel(box)
        completer = QtWidgets.QCompleter(self._known_nouns, box)
        completer.setFilterMode(QtCore.Qt.MatchFlag.MatchContains)
        completer.setCaseSensitivity(QtCore.Qt.CaseSensitivity.CaseInsensitive)
        box.setCompleter(completer)
        edit.setMaxLength(CLASS_NOUN_LENGTH)
        box.setToolTip(
            tr("A common word for what the layers show; a wrong one spoils the likeness")
        )
        return box

    def show_read_options(self, *, groups: bool, frames: bool, selection: bool) -> None:
        """Show the options that make a difference for these layers."""
        self.groups.setVisible(groups)
        self.frames.setVisible(frames)
        self.inside.setVisible(selection)

    def read_options(self) -> ReadOptions:
        """Return the options that are chosen."""
        return ReadOptions(
            each_child=bool(self.groups.currentData()),
            frames=self.frames.isChecked(),
            inside_selection=self.inside.isChecked(),
        )

    def show_presets(self, presets: Sequence[str]) -> None:
        """Offer these presets."""
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
        """Offer these base models; hide the choice if there is only one."""
        self.base_model.clear()
        for base_model in base_models:
            self.base_model.addItem(base_model, base_model)
        self.base_model.setVisible(len(base_models) > 1)
        self._base_label.setVisible(len(base_models) > 1)

    def show_known_nouns(self, nouns: Sequence[str]) -> None:
        """Complete what the artist types to these class nouns."""
        self._known_nouns.setStringList(list(nouns))

    def suggest(self, nouns: Sequence[str], identifiers: Sequence[str], *, is_sure: bool) -> None:
        """Offer suggestions; enter the first noun if it is sure and none is entered."""
        entered = self.class_noun.currentText()
        self.class_noun.clear()
        self.class_noun.addItems(list(nouns))
        keep = entered if self._noun_touched or entered or not (nouns and is_sure) else nouns[0]
        self.class_noun.setEditText(keep)
        if identifiers:
            text = tr("chosen for you, for example: {word}", word=identifiers[0])
            self.identifier.setPlaceholderText(text)

    def show_hints(self, hint: str, noun_hint: str, *, missing: str) -> None:
        """Show hints below name and noun; `missing` says why Learn is disabled, or nothing."""
        self.hint.setText(hint)
        self.noun_hint.setText(noun_hint)
        self.learn.setEnabled(not missing)
        self.learn.setToolTip(missing)

    def request(self) -> LearnRequest:
        """Return the entries as a request that still lacks images and captions."""
        return LearnRequest(
            name=self.name.text().strip(),
            class_noun=self.class_noun.currentText().strip(),
            identifier=self.identifier.text().strip(),
            preset=self.preset.currentData() or DEFAULT_PRESET,
            base_model=self.base_model.currentData() or "",
            images=(),
        )

    def _on_noun_edited(self) -> None:
        self._noun_touched = True


def _line(name: str, placeholder: str) -> QtWidgets.QLineEdit:
    line = QtWidgets.QLineEdit()
    line.setObjectName(name)
    line.setPlaceholderText(placeholder)
    return line
