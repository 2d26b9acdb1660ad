"""Fallback docker that says why the plugin could not start and what to do."""

from __future__ import annotations

from types import ModuleType
from typing import TYPE_CHECKING

from ..i18n import tr
from ..qt import QtCore, plain_label

if TYPE_CHECKING:
    from krita import Canvas

DOCKER_ID = "modelsheet_krita"


def reason(error: Exception) -> str:
    """Return sentences for the artist that say why the plugin could not start."""
    if isinstance(error, ImportError) and "_vendor" in str(error):
        return f"{_incomplete()} {_reinstall()}"
    if isinstance(error, RuntimeError):
        return str(error)
    why = f"{type(error).__name__}: {error}"
    return tr("Modelsheet could not start ({why}).", why=why) + " " + _reinstall()


def _incomplete() -> str:
    return tr(
        "Modelsheet is not complete: its copy of the package “requests” is missing, as it is when "
        "the source folder is copied by hand."
    )


def _reinstall() -> str:
    return tr(
        "Run ./install.sh again in Modelsheet's folder, or import modelsheet_krita.zip "
        "(made by: modelsheet krita zip) with Tools ▸ Scripts ▸ Import Python Plugin, then start "
        "Krita again."
    )


def register(krita: ModuleType, sentence: str) -> None:
    """Register a docker that shows `sentence` and nothing else. `krita`: Krita's own module."""

    class FallbackDocker(krita.DockWidget):  # type: ignore[misc, name-defined]
        """Docker with one label."""

        def __init__(self) -> None:
            super().__init__()
            self.setWindowTitle("Modelsheet")
            label = plain_label(sentence)
            label.setObjectName("modelsheet_fallback")
            label.setWordWrap(True)
            label.setMargin(label.fontMetrics().height() // 2)
            label.setAlignment(QtCore.Qt.AlignmentFlag.AlignTop)
            label.setTextInteractionFlags(QtCore.Qt.TextInteractionFlag.TextSelectableByMouse)
            self.setWidget(label)

        def canvasChanged(self, canvas: Canvas | None) -> None:
            """Do nothing; Krita demands the method."""

    side = krita.DockWidgetFactoryBase.DockRight
    factory = krita.DockWidgetFactory(DOCKER_ID, side, FallbackDocker)
    krita.Krita.instance().addDockWidgetFactory(factory)
