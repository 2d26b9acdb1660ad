"""Set up, repair, update or remove this computer's backend, from the dialog."""

from __future__ import annotations

from functools import partial
from typing import Callable

from ..backend.connection_thread import BackendConnection, ConnectionState
from ..backend.local_installation import LocalInstallation
from ..backend.setup_plan import SetupOutcome, SetupPlan
from ..controllers.notices import Notices
from ..i18n import tr
from ..qt import QtCore
from ..tasks import BackgroundTask
from ..ui.backend_forms.setup_dialog import SetupDialog
from ..ui.panel import Panel
from ..version import VERSION, is_older, update_sentence

POLL_MS = 200
DOWNLOAD_SHARE = 0.3  # of the bar that a stage's download takes
USUAL_MB = 200  # of a stage's download, which only the bar depends on


class SetupController:
    """Opens the dialog and does what it asks for.

    `on_changed` is called when the backend was set up or removed, `open_remote` for another
    computer's, `open_sample` for the sample.
    """

    def __init__(
        self,
        panel: Panel,
        connection: BackendConnection,
        notices: Notices,
        installation: LocalInstallation,
        *,
        is_local: Callable[[], bool],
        on_changed: Callable[[], None],
        open_remote: Callable[[], None],
        open_sample: Callable[[], None],
    ) -> None:
        self._panel, self._connection, self._notices = panel, connection, notices
        self._installation, self._is_local, self._on_changed = installation, is_local, on_changed
        self._open_remote, self._open_sample = open_remote, open_sample
        self.dialog: SetupDialog | None = None
        # Each kept until it is done: without a reference it is dropped, and its result with it.
        self._task: BackgroundTask[SetupPlan | str] | BackgroundTask[SetupOutcome] | None = None
        self._comparison: BackgroundTask[SetupPlan | str] | None = None
        self._is_working = self._has_compared = False
        self._plan: SetupPlan | None = None
        self._shown_lines = 0
        self._timer = QtCore.QTimer(panel)
        self._timer.timeout.connect(self._show_progress)
        connection.subscribe(panel, state=self._on_state, closing=self._on_closing)

    def open(self) -> None:
        """Open the dialog, or bring it to the front."""
        if self.dialog is None:
            self.dialog = SetupDialog(self._panel.icon, self._panel.window())
            self.dialog.wanted.connect(self._notices.guard(self._on_wanted))
        self.dialog.show()
        self.dialog.raise_()
        if not self._is_working:
            self._look("")

    def _look(self, sentence: str) -> None:
        assert self.dialog is not None
        self.dialog.show_looking()
        self._task = BackgroundTask(self._installation.plan, partial(self._on_plan, sentence))

    def _on_plan(self, sentence: str, found: SetupPlan | str) -> None:
        if self.dialog is None or self._is_working:
            return
        if isinstance(found, str):
            self.dialog.show_error(found)
        else:
            self._plan = found
            self.dialog.show_plan(found, sentence)

    def _on_wanted(self, action: str) -> None:
        assert self.dialog is not None
        if action == "cancel":
            self.dialog.cancel.setEnabled(False)
            self._installation.cancel()
        elif action == "remote":
            self.dialog.reject()
            self._open_remote()
        elif action == "sample":
            self.dialog.accept()
            self._open_sample()
        elif not self._is_working:
            self._start(action)

    def _start(self, action: str) -> None:
        assert self.dialog is not None
        if self._is_local() and self._connection.state.is_running:
            self._connection.stop_backend()  # a file in use cannot be replaced on Windows
        self._is_working, self._shown_lines = True, 0
        self.dialog.cancel.setEnabled(True)
        self.dialog.show_running(
            tr("You may close this form and go on painting; the work goes on until Krita ends.")
        )
        self._timer.start(POLL_MS)
        self._task = BackgroundTask(
            partial(self._installation.run, action), partial(self._on_done, action)
        )

    def _show_progress(self) -> None:
        if self.dialog is None:
            return
        lines = list(self._installation.lines)
        new = lines[self._shown_lines :]
        self._shown_lines = len(lines)
        downloaded = self._installation.downloaded_mb
        inside = min(1.0, downloaded / USUAL_MB) * DOWNLOAD_SHARE
        stage = self._installation.stage
        if downloaded:
            stage = tr("{stage}: {size} MB downloaded", stage=stage, size=downloaded)
        self.dialog.show_progress(stage, min(1.0, self._installation.done + inside), new)

    def _on_done(self, action: str, outcome: SetupOutcome) -> None:
        self._show_progress()
        self._timer.stop()
        self._is_working = False
        self._on_changed()
        if self.dialog is None:
            return
        if outcome.error:
            self.dialog.show_error(outcome.error)
        elif outcome.is_cancelled:
            self._look(tr("Stopped. What is done is kept; Go On continues there."))
        elif action == "remove":
            self._look(tr("The backend is removed. What was learnt is kept."))
        else:
            self._look(tr("Done. Open the sample, or a picture of yours, and learn its layers."))

    def _on_state(self, state: ConnectionState) -> None:
        """Compare the versions once, when a backend answers, and say which one is to be updated."""
        if state.capabilities is None or self._has_compared:
            return
        self._has_compared = True
        backend = state.capabilities.version
        sentence = update_sentence(backend)
        can_update = self._is_local() and self._installation.is_offered
        if can_update and not is_older(VERSION, backend):
            offer = partial(self._offer_update, sentence)
            self._comparison = BackgroundTask(self._installation.plan, offer)
        elif sentence:
            self._panel.notice.say(sentence)

    def _offer_update(self, sentence: str, found: SetupPlan | str) -> None:
        if isinstance(found, SetupPlan) and (sentence or found.is_outdated):
            other = tr(
                "This plugin brings another version of the backend than the one that is set up."
            )
            self._panel.notice.say(sentence or other, action=tr("Update…"), on_action=self.open)

    def _on_closing(self) -> None:
        if self._is_working:
            self._installation.cancel()
