"""List of the backend's models, with a button for each that can be downloaded; their names."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ..backend.api_responses import BaseModelView, Capabilities, ModelView
from ..i18n import format_bytes, tr
from ..qt import QtCore, QtWidgets, Signal, plain_label

PUBLISHED = {"sd15": "Stable Diffusion 1.5", "sdxl": "Stable Diffusion XL"}


class ModelListWidget(QtWidgets.QWidget):
    """Lines about installed models and rows with buttons for the others."""

    download_wanted = Signal(str)  # model id
    filled = Signal()

    def __init__(self, capabilities: Capabilities | None) -> None:
        super().__init__()
        self._capabilities = capabilities
        self.inventory = plain_label(inventory(capabilities))
        self.inventory.setObjectName("modelsheet_inventory")
        self.inventory.setWordWrap(True)
        self.inventory.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
        self.buttons: dict[str, QtWidgets.QPushButton] = {}
        self._grid = QtWidgets.QGridLayout()
        self._grid.setColumnStretch(0, 1)
        self._grid.setVerticalSpacing(self.fontMetrics().height() // 2)
        layout = QtWidgets.QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.inventory)
        layout.addLayout(self._grid)

    def show_models(self, models: Sequence[ModelView], downloading: Collection[str]) -> None:
        """Show the installed models and offer the missing ones. Called once."""
        installed = [_line(model) for model in models if model.state != "missing"]
        lines = inventory(self._capabilities).splitlines()
        lacks = len(self._capabilities.shortcomings) if self._capabilities else 0
        self.inventory.setText("\n".join([*lines[: 1 + lacks], *installed]))
        for row, model in enumerate(one for one in models if one.state == "missing"):
            self._offer(row, model, is_coming=model.id in downloading)
        self.filled.emit()

    def _offer(self, row: int, model: ModelView, *, is_coming: bool) -> None:
        label = plain_label(_offered(model))
        label.setWordWrap(True)
        button = QtWidgets.QPushButton()
        button.setObjectName(f"modelsheet_download_{model.id}")
        button.clicked.connect(lambda: self.download_wanted.emit(model.id))
        button.setAccessibleName(tr("Download {title}", title=model.id))
        self.buttons[model.id] = button
        self.mark(model.id, is_coming=is_coming)
        self._grid.addWidget(label, row, 0)
        self._grid.addWidget(button, row, 1, QtCore.Qt.AlignmentFlag.AlignTop)

    def mark(self, model_id: str, *, is_coming: bool) -> None:
        """Disable the button of a model that is being downloaded, or enable it again."""
        button = self.buttons[model_id]
        button.setText(tr("Downloading…") if is_coming else tr("Download"))
        button.setEnabled(not is_coming)


def inventory(capabilities: Capabilities | None) -> str:
    """Return lines about version, shortcomings and base models of the connected backend."""
    if capabilities is None:
        return tr("Not known until it is connected.")
    lines: list[str] = [tr("Modelsheet {version}", version=capabilities.version)]
    lines += capabilities.shortcomings
    for model in capabilities.base_models:
        state = tr("ready") if model.available else tr("not ready")
        line = f"{model.id}: {state}"
        if model.resolution:
            line += f", {model.resolution} × {model.resolution}"
        lines.append(f"{line}. {model.note}" if model.note else line)
    return "\n".join(lines)


def _line(model: ModelView) -> str:
    state = tr("ready") if model.state == "ready" else tr("not ready")
    line = f"{model.id}: {state}"
    if model.size_bytes:
        line += f", {format_bytes(model.size_bytes)}"
    return f"{line}. {model.note}" if model.note else line


def _offered(model: ModelView) -> str:
    size = format_bytes(model.size_bytes)
    text = tr(
        "{title}: not here, {size}. Licence: {licence}.",
        title=model.id,
        size=size,
        licence=model.licence,
    )
    # A base model's note is advice for a terminal: here is a button.
    return text if model.kind == "base" else f"{text} {model.note}"


def model_name(model: BaseModelView) -> str:
    """Return a base model's name and resolution; an added one keeps its own name."""
    side = model.resolution
    if model.family == model.id == "sprite32":
        return tr("Sprites, {width} × {height}", width=side, height=side)
    name = PUBLISHED.get(model.id, model.id)
    return tr("{name}, {width} × {height}", name=name, width=side, height=side)


def paints_sprites(model: BaseModelView) -> bool:
    """Return True if each pixel of what the model paints is a pixel of a sprite."""
    return model.family == "sprite32"
