"""Results as PNG files where the artist wants them, each with the recipe that made it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..aside import Aside
from ..i18n import tr, trn
from ..image import to_image
from ..qt import QtWidgets
from .context import Desk
from .results import Result


class Saving:
    """Asks without making Krita wait, and writes beside it."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.dialog: QtWidgets.QFileDialog | None = None
        self._writing: Aside | None = None

    def ask(self, results: Sequence[Result]) -> None:
        """Ask for a file, or for several results for a folder."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        title = tr("Save As…") if len(results) == 1 else tr("Save the Pictures Into")
        self.dialog = dialog = QtWidgets.QFileDialog(self._desk.panel.window(), title)
        dialog.setObjectName("modelsheet_save_dialog")
        if len(results) == 1:
            dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
            dialog.setNameFilters([tr("PNG picture") + " (*.png)"])
            dialog.setDefaultSuffix("png")
            dialog.selectFile(_name(results[0]))
            dialog.fileSelected.connect(lambda path: self._write({Path(path): results[0]}))
        else:
            dialog.setFileMode(QtWidgets.QFileDialog.FileMode.Directory)
            dialog.fileSelected.connect(
                lambda folder: self._write({Path(folder) / _name(one): one for one in results})
            )
        dialog.open()

    def _write(self, files: dict[Path, Result]) -> None:
        self._writing = Aside(partial(_written, files), partial(self._on_written, files))

    def _on_written(self, files: dict[Path, Result], failed: Path | None) -> None:
        notice = self._desk.panel.notice
        if failed is not None:
            said = tr("{path} cannot be written. Choose another folder.", path=failed)
            notice.say(said)
            return
        said = trn(
            "{count} picture is written into {folder}.",
            "{count} pictures are written into {folder}.",
            len(files),
            folder=next(iter(files)).parent,
        )
        notice.say(said, icon="dialog-ok")


def _written(files: dict[Path, Result]) -> Path | None:
    """Write all; the first that could not be, if any."""
    for path, result in files.items():
        image = to_image(result.picture)
        if result.image.recipe is not None:  # as `modelsheet again` and other tools read it
            image.setText("parameters", result.image.parameters)
            image.setText("modelsheet", json.dumps(result.image.recipe, ensure_ascii=False))
        if not image.save(str(path), "PNG"):
            return path
    return None


def _name(result: Result) -> str:
    return f"{result.job_id[:8]}-{result.image.seed}.png"
