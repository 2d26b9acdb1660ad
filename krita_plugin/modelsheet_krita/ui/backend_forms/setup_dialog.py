"""Dialog that sets up this computer's backend: what it would do, progress, log."""

from __future__ import annotations

from collections.abc import Sequence

from ...backend.setup_plan import SetupPlan
from ...i18n import tr
from ...qt import QtWidgets, Signal, not_none, plain_label
from ..widgets import CollapsibleSection, IconLoader, WrappedText, push_button

STEPS = 100  # of the progress bar


class SetupDialog(QtWidgets.QDialog):
    """Emits `wanted` with set_up, repair, remove, cancel, remote or sample."""

    wanted = Signal(str)

    def __init__(self, icon: IconLoader, parent: QtWidgets.QWidget | None) -> None:
        super().__init__(parent)
        self.setObjectName("modelsheet_setup")
        self.setWindowTitle(tr("Set Up the Backend"))
        em = self.fontMetrics().height()
        self.about = WrappedText()
        self.about.setObjectName("modelsheet_setup_about")
        self.stage = plain_label()
        self.stage.setObjectName("modelsheet_setup_stage")
        self.stage.setWordWrap(True)
        self.bar = QtWidgets.QProgressBar()
        self.bar.setObjectName("modelsheet_setup_progress")
        self.bar.setRange(0, STEPS)
        self.log = QtWidgets.QPlainTextEdit()
        self.log.setAccessibleName(tr("Log"))
        self.log.setReadOnly(True)
        self.log.setMinimumHeight(8 * em)
        fold = CollapsibleSection(
            tr("Log"), "modelsheet_setup_log", tr("What is done, by the line")
        )
        inside = QtWidgets.QVBoxLayout(fold.inside)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.addWidget(self.log)
        self.start = self._button(icon, "dialog-ok", tr("Set Up"), "set_up")
        self.cancel = self._button(icon, "dialog-cancel", tr("Stop"), "cancel")
        self.sample = self._button(icon, "document-open", tr("Open the Hero"), "sample")
        self.repair = self._button(icon, "view-refresh", tr("Repair"), "repair")
        self.repair.setToolTip(tr("Install all of it again; what was learnt stays"))
        self.remove = self._button(icon, "edit-delete", tr("Remove"), "remove")
        self.remove.setToolTip(tr("Remove the backend from this computer; what was learnt stays"))
        self.remote = self._button(icon, "configure", tr("Another Computer's…"), "remote")
        self.remote.setToolTip(tr("Use a backend that runs elsewhere: it has a URL and a token"))
        close = QtWidgets.QPushButton(tr("Close"))
        close.clicked.connect(self.reject)
        layout = QtWidgets.QVBoxLayout(self)
        for widget in (self.about, self.stage, self.bar, fold):
            layout.addWidget(widget)
        layout.addStretch(1)
        first = (self.start, self.cancel, self.sample)
        for row in (first, (self.repair, self.remove, self.remote, close)):
            line = QtWidgets.QHBoxLayout()
            for button in row:
                line.addWidget(button)
            layout.addLayout(line)
        self.resize(30 * em, 18 * em)
        self.show_looking()

    def show_looking(self) -> None:
        """Show that the computer is looked at."""
        self.about.setText(tr("Looking at what this computer has…"))
        self._arrange(running=False, plan=None)

    def show_plan(self, plan: SetupPlan, sentence: str = "") -> None:
        """Show what was found; `sentence` says how the last work ended."""
        self.about.setText("\n\n".join(filter(None, (sentence, *_facts(plan)))))
        self._arrange(running=False, plan=plan)

    def show_error(self, sentence: str) -> None:
        """Show what went wrong; the work may be started again."""
        self.about.setText(sentence)
        self._arrange(running=False, plan=None)
        self.start.setVisible(True)
        self.start.setText(tr("Try Again"))

    def show_running(self, sentence: str) -> None:
        """Show that work has begun."""
        self.about.setText(sentence)
        self.log.clear()
        self.bar.setValue(0)
        self.stage.clear()
        self._arrange(running=True, plan=None)

    def show_progress(self, stage: str, done: float, new_lines: Sequence[str]) -> None:
        """Show the stage, the part that is done (0 to 1) and the log's new lines."""
        self.stage.setText(stage)
        self.bar.setValue(round(done * STEPS))
        for line in new_lines:
            self.log.appendPlainText(line)

    def _button(
        self, icon: IconLoader, icon_name: str, text: str, action: str
    ) -> QtWidgets.QPushButton:
        button = push_button(icon, icon_name, text, f"modelsheet_setup_{action}")
        button.clicked.connect(lambda: self.wanted.emit(action))
        return button

    def _arrange(self, *, running: bool, plan: SetupPlan | None) -> None:
        is_ready = plan is not None and plan.is_complete and not plan.is_outdated
        self.stage.setVisible(running)
        self.bar.setVisible(running)
        self.cancel.setVisible(running)
        self.start.setVisible(plan is not None and not is_ready)
        self.sample.setVisible(is_ready)
        self.repair.setVisible(plan is not None and plan.is_complete)
        self.remove.setVisible(plan is not None and plan.is_begun)
        self.remote.setVisible(not running)
        if plan is not None:
            self.start.setText(_verb(plan))
        not_none(self.layout()).activate()


def _verb(plan: SetupPlan) -> str:
    if plan.is_complete:
        return tr("Update")
    return tr("Go On") if plan.is_begun else tr("Set Up")


def _facts(plan: SetupPlan) -> list[str]:
    """Return sentences about what is there and what would be done."""
    place = tr("Folder: {folder}", folder=plan.folder)
    if plan.is_complete and not plan.is_outdated:
        return [tr("The backend is set up on this computer."), place]
    if plan.is_complete:
        return [
            tr("This plugin brings another version of the backend than the one that is set up."),
            place,
        ]
    computes = {"cpu": tr("none that PyTorch can use; it computes on the processor")}
    python = plan.python or tr("none; one is downloaded into the folder")
    return [
        tr(
            "The backend does the learning and painting. It is not on this computer yet: about "
            "{size} MB are downloaded, once. After that it needs no network.",
            size=plan.download_mb,
        ),
        "\n".join(
            (
                tr("Graphics card: {card}", card=computes.get(plan.card, plan.card)),
                tr("Python: {python}", python=python),
                place,
                tr(
                    "Disk: needs {needed} GB, has {free} GB", needed=plan.disk_gb, free=plan.free_gb
                ),
            )
        ),
    ]
