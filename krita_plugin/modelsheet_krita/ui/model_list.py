"""What the backend has, in lines, and a button for each model that it could download."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..backend.api_responses import Capabilities, ModelView
from ..backend.lora_header import in_words
from ..i18n import tr
from ..qt import QtCore, QtWidgets, Signal


class ModelRows(QtWidgets.QWidget):
    """Shows; `wanted` says which model shall be downloaded."""

    wanted = Signal(str)
    filled = Signal()

    def __init__(self, capabilities: Capabilities | None) -> None:
        super().__init__()
        self._capabilities = capabilities
        self.has = QtWidgets.QLabel(inventory(capabilities))
        self.has.setObjectName("modelsheet_inventory")
        self.has.setWordWrap(True)
        self.has.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.buttons: dict[str, QtWidgets.QPushButton] = {}
        self._grid = QtWidgets.QGridLayout()
        self._grid.setColumnStretch(0, 1)
        self._grid.setVerticalSpacing(self.fontMetrics().height() // 2)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.has)
        layout.addLayout(self._grid)

    def show_models(self, models: Sequence[ModelView], on_their_way: Collection[str]) -> None:
        """Say of each what it is; offer those that are missing. Called once."""
        there = [_line(model) for model in models if model.state != "missing"]
        lines = inventory(self._capabilities).splitlines()
        lacks = len(self._capabilities.shortcomings) if self._capabilities else 0
        self.has.setText("\n".join([*lines[: 1 + lacks], *there]))
        for row, model in enumerate(one for one in models if one.state == "missing"):
            self._offer(row, model, is_coming=model.id in on_their_way)
        self.filled.emit()

    def _offer(self, row: int, model: ModelView, *, is_coming: bool) -> None:
        text = QtWidgets.QLabel(_offered(model))
        text.setWordWrap(True)
        button = QtWidgets.QPushButton()
        button.setObjectName(f"modelsheet_download_{model.id}")
        button.clicked.connect(lambda: self.wanted.emit(model.id))
        button.setAccessibleName(tr("Download {title}", title=model.id))
        self.buttons[model.id] = button
        self.mark(model.id, is_coming=is_coming)
        self._grid.addWidget(text, row, 0)
        self._grid.addWidget(button, row, 1, QtCore.Qt.AlignmentFlag.AlignTop)

    def mark(self, model_id: str, *, is_coming: bool) -> None:
        """Whether it comes or has come; it is not offered again then."""
        button = self.buttons[model_id]
        button.setText(tr("Downloading…") if is_coming else tr("Download"))
        button.setEnabled(not is_coming)


def inventory(capabilities: Capabilities | None) -> str:
    """Say in lines what the connected backend has, and of the rest what it lacks."""
    if capabilities is None:
        return tr("Not known until it is connected.")
    lines = [tr("Modelsheet {version}", version=capabilities.version), *capabilities.shortcomings]
    for model in capabilities.base_models:
        state = tr("ready") if model.available else tr("not ready")
        line = f"{model.id}: {state}, {model.resolution} × {model.resolution}"
        lines.append(f"{line}. {model.note}" if model.note else line)
    return "\n".join(lines)


def _line(model: ModelView) -> str:
    state = tr("ready") if model.state == "ready" else tr("not ready")
    line = f"{model.id}: {state}"
    if model.size_bytes:
        line += f", {in_words(model.size_bytes)}"
    return f"{line}. {model.note}" if model.note else line


def _offered(model: ModelView) -> str:
    size = in_words(model.size_bytes)
    said = tr(
        "{title}: not here, {size}. Licence: {licence}.",
        title=model.id,
        size=size,
        licence=model.licence,
    )
    # What a base model's note says is for a terminal: here is a button.
    return said if model.kind == "base" else f"{said} {model.note}"
