"""Section of the learn dialog for pictures that are larger than the base model learns them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..i18n import format_bytes, tr
from ..qt import QtCore, QtGui, QtWidgets, Signal, plain_label

MOST_PREVIEWS = 5
PREVIEW_LINES = 4  # height of a preview in lines of text


@dataclass(frozen=True)
class LargerModel:
    """Base model that holds more detail: `state` is ready, missing or coming."""

    model_id: str
    name: str
    state: str
    size_bytes: int = 0
    licence: str = ""


class SizeChoice(QtWidgets.QFrame):
    """Says what is lost, shows what the model will see, and offers models that hold more."""

    download_wanted = Signal(str)  # model id, as below
    model_wanted = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("modelsheet_size")
        self.setFrameShape(QtWidgets.QFrame.Shape.StyledPanel)
        self._em = self.fontMetrics().height()
        self.text = plain_label()
        self.text.setWordWrap(True)
        self.seen = plain_label(tr("What the model will see:"))
        self.previews: list[QtWidgets.QLabel] = []
        self._previews = QtWidgets.QHBoxLayout()
        self.waiting = plain_label(tr("Preparing the pictures…"))
        self.waiting.setEnabled(False)
        self.buttons: dict[str, QtWidgets.QPushButton] = {}
        self._offered: list[LargerModel] = []
        self._models = QtWidgets.QGridLayout()
        self._models.setColumnStretch(0, 1)
        row = QtWidgets.QHBoxLayout()
        row.addWidget(self.seen)
        row.addWidget(self.waiting)
        row.addLayout(self._previews)
        row.addStretch(1)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setSpacing(self._em // 3)
        layout.addWidget(self.text)
        layout.addLayout(row)
        layout.addLayout(self._models)
        self.hide()

    @property
    def preview_side(self) -> int:
        """The side of a preview in device pixels."""
        return round(PREVIEW_LINES * self._em * self.devicePixelRatioF())

    def say(self, sentence: str) -> None:
        """Say that pictures are too large, with a place for the previews; "" hides the section."""
        self.text.setText(sentence)
        self.setVisible(bool(sentence))

    def show_previews(self, pixmaps: Sequence[QtGui.QPixmap] | None, more: int = 0) -> None:
        """Show pictures as the model will see them, None while they are prepared; `more` is the
        number of those that are not shown.
        """
        self._clear(self._previews)
        self.previews = []
        self.waiting.setVisible(pixmaps is None)
        self.seen.setVisible(pixmaps is None or bool(pixmaps))
        self.waiting.setMinimumHeight(PREVIEW_LINES * self._em)  # so that the form does not jump
        for pixmap in pixmaps or ():
            label = plain_label()
            label.setPixmap(pixmap)
            self.previews.append(label)
            self._previews.addWidget(label)
        if more:
            self._previews.addWidget(plain_label(tr("and {count} more", count=more)))

    def show_models(self, models: Sequence[LargerModel]) -> None:
        """Offer these models, each with one button; those that are offered already stay."""
        if list(models) == self._offered:
            return
        self._offered = list(models)
        self._clear(self._models)
        self.buttons = {}
        for row, model in enumerate(models):
            label = plain_label(_described(model))
            label.setWordWrap(True)
            self._models.addWidget(label, row, 0)
            self._models.addWidget(
                self._button(model), row, 1, QtCore.Qt.AlignmentFlag.AlignVCenter
            )

    def _button(self, model: LargerModel) -> QtWidgets.QPushButton:
        words = {"ready": tr("Use It"), "missing": tr("Download"), "coming": tr("Downloading…")}
        signal = self.model_wanted if model.state == "ready" else self.download_wanted
        button = QtWidgets.QPushButton(words[model.state])
        button.setObjectName(f"modelsheet_larger_{model.model_id}")
        button.setAccessibleName(f"{words[model.state]}: {model.name}")
        button.setEnabled(model.state != "coming")
        button.setAutoDefault(False)
        button.clicked.connect(lambda: signal.emit(model.model_id))
        self.buttons[model.model_id] = button
        return button

    def _clear(self, layout: QtWidgets.QLayout) -> None:
        while layout.count():
            item = layout.takeAt(0)
            widget = item.widget() if item is not None else None
            if widget is not None:
                widget.hide()
                widget.deleteLater()


def _described(model: LargerModel) -> str:
    if not (model.size_bytes and model.licence):
        return tr("Or learn with {name}.", name=model.name)
    return tr(
        "Or learn with {name} ({size}, licence: {licence}).",
        name=model.name,
        size=format_bytes(model.size_bytes),
        licence=model.licence,
    )
