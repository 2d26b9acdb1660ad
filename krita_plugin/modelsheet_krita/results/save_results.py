"""Save results as PNG files, each with its recipe in the metadata."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..i18n import tr, trn
from ..image import to_qimage
from ..qt import QtWidgets
from ..tasks import BackgroundTask
from ..ui.panel import Panel
from .result import Result


class ResultSaver:
    """Asks for a path without blocking Krita and writes on a background thread."""

    def __init__(self, panel: Panel) -> None:
        self._panel = panel
        self.dialog: QtWidgets.QFileDialog | None = None
        self._task: BackgroundTask[Path | None] | None = None

    def open(self, results: Sequence[Result]) -> None:
        """Ask for a file, or for several results for a folder."""
        if self.dialog is not None:
            self.dialog.deleteLater()
        title = tr("Save As…") if len(results) == 1 else tr("Save the Pictures Into")
        self.dialog = dialog = QtWidgets.QFileDialog(self._panel.window(), title)
        dialog.setObjectName("modelsheet_save_dialog")
        if len(results) == 1:
            dialog.setAcceptMode(QtWidgets.QFileDialog.AcceptMode.AcceptSave)
            dialog.setNameFilters([tr("PNG picture") + " (*.png)"])
            dialog.setDefaultSuffix("png")
            dialog.selectFile(_name(results[0]))
            dialog.fileSelected.connect(lambda path: self._save({Path(path): results[0]}))
        else:
            dialog.setFileMode(QtWidgets.QFileDialog.FileMode.Directory)
            dialog.fileSelected.connect(
                lambda folder: self._save({Path(folder) / _name(one): one for one in results})
            )
        dialog.open()

    def _save(self, files: dict[Path, Result]) -> None:
        self._task = BackgroundTask(partial(_write, files), partial(self._on_written, files))

    def _on_written(self, files: dict[Path, Result], failed: Path | None) -> None:
        notice = self._panel.notice
        if failed is not None:
            notice.say(tr("{path} cannot be written. Choose another folder.", path=failed))
            return
        text = trn(
            "{count} picture is written into {folder}.",
            "{count} pictures are written into {folder}.",
            len(files),
            folder=next(iter(files)).parent,
        )
        notice.say(text, icon="dialog-ok")


def _write(files: dict[Path, Result]) -> Path | None:
    """Write all files; return the first path that could not be written, if any."""
    for path, result in files.items():
        qimage = to_qimage(result.image)
        if result.generated.recipe is not None:  # as `modelsheet again` and other tools read it
            qimage.setText("parameters", result.generated.parameters)
            recipe = json.dumps(result.generated.recipe, ensure_ascii=False)
            qimage.setText("modelsheet", recipe)
        if not qimage.save(str(path), "PNG"):
            return path
    return None


def _name(result: Result) -> str:
    return f"{result.job.id[:8]}-{result.generated.seed}.png"
