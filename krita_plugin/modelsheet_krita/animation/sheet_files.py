"""Save an animation as PNG with an atlas for a game engine."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..i18n import tr
from ..qt import QtWidgets
from ..results import sprite_sheet
from ..results.sprite_sheet import Strip
from ..tasks import BackgroundTask
from ..ui.animation.animate_dialog import AnimateDialog


class SheetSaver:
    """Asks for a path without blocking Krita and writes on a background thread."""

    def __init__(self) -> None:
        self.dialog: QtWidgets.QFileDialog | None = None
        self._task: BackgroundTask[Path | None] | None = None

    def open(self, form: AnimateDialog, name: str, strips: Sequence[Strip], engine: str) -> None:
        """Ask for the PNG's path; what was written, or not, is said in the form."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        self.dialog = dialog = QtWidgets.QFileDialog(form, tr("Save As…"))
        dialog.setObjectName("modelsheet_save_sheet")
        dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
        dialog.setNameFilters([tr("PNG picture") + " (*.png)"])
        dialog.setDefaultSuffix("png")
        dialog.selectFile(f"{name}-sheet.png")
        dialog.fileSelected.connect(lambda path: self._save(form, Path(path), strips, engine))
        dialog.open()

    def _save(self, form: AnimateDialog, path: Path, strips: Sequence[Strip], engine: str) -> None:
        self._task = BackgroundTask(
            partial(sprite_sheet.save, path, strips, engine), partial(_on_written, form, path)
        )


def _on_written(form: AnimateDialog, path: Path, failed: Path | None) -> None:
    if failed is not None:
        form.remarks.say(tr("{path} cannot be written. Choose another folder.", path=failed))
        return
    text = tr("{file} and its atlas are in {folder}.", file=path.name, folder=path.parent)
    form.remarks.say(text, icon="dialog-ok")
