"""Dialog to learn a subject: its images, name, class noun, preset and base model."""

from __future__ import annotations

import html
from collections.abc import Sequence

from ..backend.api_requests import LearnRequest
from ..backend.api_responses import CLASS_NOUN_LENGTH, IDENTIFIER_LENGTH
from ..i18n import tr
from ..image import ReadOptions
from ..qt import QtCore, QtGui, QtWidgets, Signal, not_none, plain, plain_label
from .image_table import ImageTable
from .parts.colours import accent
from .parts.elided import HintLabel
from .prompt_edit import ENTER_KEYS
from .size_choice import SizeChoice
from .widgets import CollapsibleSection, IconLoader, Notice, buddy, dialog_buttons, set_icon

DEFAULT_PRESET = "balanced"
MOST_COMPLETIONS = 12


class LearnDialog(QtWidgets.QDialog):
    """Shows images and asks for the entries; LearnController checks them."""

    changed = Signal()
    read_wanted = Signal()  # with other read options
    estimate_wanted = Signal()
    tried = Signal()
    sent = Signal()

    def __init__(self, icon: IconLoader, parent: QtWidgets.QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_learn_form")
        self.setWindowTitle(tr("Learn Subject from Layers"))
        self._em = self.fontMetrics().height()
        self._noun_touched = False
        self.images = ImageTable(icon)
        self.remarks = Notice(icon, "modelsheet_remarks")
        self.size_choice = SizeChoice()
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
        self.noun_hint = HintLabel("modelsheet_noun_hint", lines=3)
        self.noun_hint.linkActivated.connect(self._on_noun_chosen)
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
        self.estimate = plain_label()
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
        form.addRow(buddy(tr("Model"), self.base_model), self.base_model)
        form.addRow("", self.estimate)
        self.expert = CollapsibleSection(
            tr("Expert"), "modelsheet_learn_expert", tr("What is chosen for you otherwise")
        )
        expert = QtWidgets.QFormLayout(self.expert.inside)
        expert.addRow(buddy(tr("Secret word"), self.identifier), self.identifier)
        buttons, self.learn = dialog_buttons(self, icon, tr("Learn"))
        self.learn.setObjectName("modelsheet_send")
        buttons.accepted.connect(self.sent)
        role = QtWidgets.QDialogButtonBox.ButtonRole.ActionRole
        self.try_now = not_none(buttons.addButton(tr("Try It Now"), role))
        self.try_now.setObjectName("modelsheet_try")
        set_icon(self.try_now, icon, "animation_play")
        self.try_now.clicked.connect(self.tried)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setSpacing(self._em // 2)
        self.count = plain_label()
        layout.addWidget(self.count)
        for option in (self.groups, self.frames, self.inside):
            layout.addWidget(option)
        layout.addWidget(self.images, 1)
        layout.addWidget(self.remarks)
        layout.addWidget(self.size_choice)
        layout.addLayout(form)
        layout.addWidget(self.expert)
        layout.addWidget(buttons)
        self.resize(self._em * 32, self._em * 38)
        self.name.setFocus()

    def _noun_box(self) -> QtWidgets.QComboBox:
        box = QtWidgets.QComboBox()
        box.setObjectName("modelsheet_class_noun")
        box.setEditable(True)
        box.setInsertPolicy(QtWidgets.QComboBox.InsertPolicy.NoInsert)
        edit = not_none(box.lineEdit())
        edit.setPlaceholderText(tr("for example: girl, fox, robot"))
        self._known_nouns: Sequence[str] = ()
        self._completions = QtCore.QStringListModel(box)
        completer = QtWidgets.QCompleter(self._completions, box)
        completer.setCompletionMode(QtWidgets.QCompleter.CompletionMode.UnfilteredPopupCompletion)
        box.setCompleter(completer)
        edit.setMaxLength(CLASS_NOUN_LENGTH)
        box.setToolTip(
            tr("An everyday word for what the layers show; a wrong one spoils the likeness")
        )
        return box

    def keyPressEvent(self, event: QtGui.QKeyEvent) -> None:
        """Let Enter in a field go on to the next one, as learning takes minutes."""
        if event.key() in ENTER_KEYS and not isinstance(
            self.focusWidget(), QtWidgets.QAbstractButton
        ):
            (self.class_noun if self.name.hasFocus() else self.learn).setFocus()
        else:
            super().keyPressEvent(event)

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

    def show_base_models(self, base_models: Sequence[tuple[str, str]]) -> None:
        """Offer these base models, (id, name); the chosen one stays chosen."""
        offered = [self.base_model.itemData(row) for row in range(self.base_model.count())]
        if offered == [model_id for model_id, _ in base_models]:
            return
        chosen = self.base_model.currentData()
        self.base_model.blockSignals(True)
        self.base_model.clear()
        for model_id, name in base_models:
            self.base_model.addItem(name, model_id)
        self.choose_base_model(chosen)
        self.base_model.blockSignals(False)
        if self.base_model.currentData() != chosen:
            self.base_model.currentIndexChanged.emit(self.base_model.currentIndex())

    def choose_base_model(self, model_id: str | None) -> None:
        """Choose a base model that is offered, else the first."""
        self.base_model.setCurrentIndex(max(0, self.base_model.findData(model_id)))

    def show_size(self, sentence: str, *, as_sprite: bool = False) -> None:
        """Say that pictures are too large for the base model, or "" that they are not."""
        self.size_choice.say(sentence)
        is_reduced = bool(sentence) and as_sprite
        self.learn.setText(tr("Learn as a Sprite") if is_reduced else tr("Learn"))
        if sentence:
            most = not_none(self.screen()).availableGeometry().height() - 4 * self._em
            self.resize(self.width(), min(most, max(self.height(), 50 * self._em)))

    def show_known_nouns(self, nouns: Sequence[str]) -> None:
        """Complete what the artist types to these class nouns."""
        self._known_nouns = nouns

    def suggest(self, nouns: Sequence[str], identifiers: Sequence[str]) -> None:
        """Offer suggestions; enter the first noun if none is entered."""
        entered = self.class_noun.currentText()
        self.class_noun.clear()
        self.class_noun.addItems(list(nouns))
        keep = entered if self._noun_touched or entered or not nouns else nouns[0]
        self.class_noun.setEditText(keep)
        edit = not_none(self.class_noun.lineEdit())
        if edit.hasFocus() and not self._noun_touched:  # what is typed next replaces the guess
            edit.selectAll()
        if identifiers:
            text = tr("chosen for you, for example: {word}", word=identifiers[0])
            self.identifier.setPlaceholderText(text)

    @property
    def is_noun_begun(self) -> bool:
        """True while what is typed can become a noun that is offered below it."""
        return self._noun_touched and bool(self._completions.rowCount())

    def show_noun_hint(self, hint: str, choices: Sequence[str]) -> None:
        """Show a hint below the class noun, with class nouns that a click enters."""
        colour = accent(self.palette()).name()
        links = [
            f'<a href="{noun}" style="color: {colour}">{noun}</a>'
            for noun in map(html.escape, choices)
        ]
        self.noun_hint.setText(f"{html.escape(hint)} {', '.join(links)}" if hint else "")

    def show_hints(self, hint: str, *, missing: str, cannot_try: str) -> None:
        """Show the hint below the name; `missing` says why Learn is disabled, or nothing, and
        `cannot_try` why the base model cannot paint before it has learnt.
        """
        self.hint.setText(hint)
        self.learn.setEnabled(not missing)
        self.learn.setToolTip(missing)
        self.try_now.setEnabled(not (missing or cannot_try))
        self.try_now.setToolTip(
            plain(cannot_try or missing or tr("Paint first pictures by these layers alone"))
        )

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
        typed = self.class_noun.currentText()
        self._completions.setStringList(noun_completions(typed, self._known_nouns))

    def _on_noun_chosen(self, noun: str) -> None:
        self._noun_touched = True
        self._completions.setStringList([])
        self.class_noun.setEditText(noun)


def noun_completions(typed: str, nouns: Sequence[str]) -> list[str]:
    """List the nouns that begin as what is typed does, then those with such a later word."""
    wanted = " ".join(typed.lower().split())
    if not wanted or wanted in nouns:
        return []
    begin = [noun for noun in nouns if noun.startswith(wanted)]
    contain = [noun for noun in nouns if f" {wanted}" in noun]
    return list(dict.fromkeys([*begin, *contain]))[:MOST_COMPLETIONS]


def _line(name: str, placeholder: str) -> QtWidgets.QLineEdit:
    line = QtWidgets.QLineEdit()
    line.setObjectName(name)
    line.setPlaceholderText(placeholder)
    return line
