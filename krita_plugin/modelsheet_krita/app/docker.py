"""Docker and extension for Krita: the panel in a dock widget, the actions, Krita's end."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING

from krita import DockWidget, DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita

from ..animation.animate import AnimateController
from ..animation.own_motions import OwnMotions
from ..backend.connection_thread import BackendConnection, BackendLocation
from ..backend.launcher import Launcher
from ..backend.local_installation import SAMPLE, LocalInstallation
from ..backend.location import LocalBackend, RemoteBackend
from ..controllers.controller import Controller
from ..document import document
from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets, not_none
from ..results.document_ids import DocumentIds
from ..ui.backend_forms.backend_dialog import BackendDialog
from ..ui.panel import Panel
from . import actions, diagnostics, docker_placement
from .backend_setup import SetupController
from .fallback_docker import DOCKER_ID
from .settings import BackendChoice, Preferences, launch_plan, motions_folder
from .status_line import StatusLine

if TYPE_CHECKING:
    from krita import Canvas, Window

FIRST_SHOWN_MS = 500


class ModelsheetDocker(DockWidget):
    """One docker per window; all of them share the connection and what is known of documents."""

    def __init__(
        self,
        connection: BackendConnection,
        preferences: Preferences,
        document_ids: DocumentIds,
    ) -> None:
        super().__init__()
        self.setWindowTitle("Modelsheet")
        self._connection, self._preferences = connection, preferences
        self._dialog: BackendDialog | None = None
        panel = Panel(icon)
        panel.box.count.setValue(preferences.count())
        panel.box.count.valueChanged.connect(preferences.set_count)
        panel.backend_wanted.connect(self._on_backend_wanted)
        self.controller = Controller(
            panel,
            connection,
            saved_state=preferences,
            document_ids=document_ids,
            current_document=_current_document,
        )
        self.animate = AnimateController(
            panel,
            connection,
            self.controller.notices,
            self.controller.jobs,
            self.controller.subjects,
            OwnMotions(motions_folder()),
            _current_document,
        )
        self.setup = SetupController(
            panel,
            connection,
            self.controller.notices,
            LocalInstallation(),
            is_local=lambda: not preferences.backend().is_remote,
            on_changed=lambda: connection.switch_to(location_of(preferences.backend())),
            open_remote=self._open_backend_dialog,
            open_sample=_open_sample,
        )
        self.setWidget(panel)
        self._status_line = StatusLine(self, panel.activity_changed, panel.news)
        # After Save As the document has another file, by which its results are found again.
        Krita.instance().notifier().imageSaved.connect(self._check_document)
        self.visibilityChanged.connect(self._on_visibility)

    def canvasChanged(self, canvas: Canvas | None) -> None:
        """Check the document in front; the canvas itself is not kept."""
        # Krita shows the new document only after this call.
        QtCore.QTimer.singleShot(0, self._check_document)

    def _check_document(self, _: str = "") -> None:
        self.controller.check_document()

    def bring_up(self) -> None:
        """Show the docker in front of the others."""
        self.setVisible(True)
        self.raise_()

    def _on_visibility(self, visible: bool) -> None:
        if visible:
            self._connection.connect_now()
            # Krita lays its window out after this call.
            QtCore.QTimer.singleShot(FIRST_SHOWN_MS, self._on_shown)

    def _on_shown(self) -> None:
        if self.isVisible() and self._preferences.take_first_time():
            docker_placement.make_visible(self)

    def _on_backend_wanted(self, action: str) -> None:
        attempt = self.controller.notices.attempt
        if action == "settings":
            self._open_backend_dialog()
        elif action == "setup":
            attempt(self.setup.open)
        elif action == "restart":
            attempt(self._connection.restart_backend)
        elif action == "stop":
            attempt(self._connection.stop_backend)
        elif action == "report":
            self._copy_report()

    def _copy_report(self) -> None:
        choice = self._preferences.backend()
        text = diagnostics.report(
            self._connection.state,
            self.controller.jobs.all,
            krita_version=Krita.instance().version(),
            url=choice.url if choice.is_remote else "",
        )
        not_none(QtWidgets.QApplication.clipboard()).setText(text)
        sentence = tr("The report is in the clipboard. It has no tokens, names or prompts.")
        self.controller.panel.notice.say(sentence, icon="dialog-ok")

    def _open_backend_dialog(self) -> None:
        choice = self._preferences.backend()
        if self._dialog is not None:
            self._dialog.deleteLater()
        self._dialog = dialog = BackendDialog(
            icon,
            self.window(),
            is_remote=choice.is_remote,
            url=choice.url,
            token=choice.token,
            capabilities=self._connection.state.capabilities,
        )
        self.controller.models.fill(dialog.models)
        dialog.sent.connect(lambda: self._on_backend_chosen(dialog))
        dialog.open()

    def _on_backend_chosen(self, dialog: BackendDialog) -> None:
        url, token = dialog.url.text().strip(), dialog.token.text().strip()
        choice = BackendChoice(dialog.remote.isChecked(), url, token)
        self._preferences.set_backend(choice)
        self._connection.switch_to(location_of(choice))
        dialog.accept()


class ModelsheetExtension(Extension):
    """Adds the actions to each window's menus and closes the connection when Krita ends."""

    def __init__(self, parent: QtCore.QObject, connection: BackendConnection) -> None:
        super().__init__(parent)
        self._connection = connection

    def setup(self) -> None:
        """Wait for Krita's end; Krita calls this once."""
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.applicationClosing.connect(self._connection.close)

    def createActions(self, window: Window) -> None:
        """Create the actions of one window."""
        # Krita deletes its Window wrapper after this call; Qt's own window stays.
        main_window = window.qwindow()
        for name, text, menu in actions.all_actions():
            action = window.createAction(name, text, menu)
            action.setText(text)  # Krita takes the untranslated one from the .action file
            action.triggered.connect(partial(_run_action, main_window, name))


def register() -> None:
    """Register the extension and the docker's factory with Krita."""
    krita = Krita.instance()
    preferences = Preferences()
    connection = BackendConnection(location_of(preferences.backend()))
    document_ids = DocumentIds(preferences.document_id, preferences.remember_file)

    class Docker(ModelsheetDocker):
        """Krita's factory calls its class without arguments."""

        def __init__(self) -> None:
            super().__init__(connection, preferences, document_ids)

    krita.addExtension(ModelsheetExtension(krita, connection))
    side = DockWidgetFactoryBase.DockRight
    krita.addDockWidgetFactory(DockWidgetFactory(DOCKER_ID, side, Docker))


def location_of(choice: BackendChoice) -> BackendLocation:
    """Return the location of the backend that the artist has chosen."""
    if choice.is_remote:
        return RemoteBackend(choice.address)
    return LocalBackend(Launcher(launch_plan(), os.environ))


def icon(name: str) -> QtGui.QIcon:
    """Load an icon of Krita's present theme."""
    return Krita.instance().icon(name)


def _current_document() -> document.OpenDocument:
    return document.current(Krita.instance().activeWindow())


def _open_sample() -> None:
    """Open the sample in Krita's front window with its layers selected.

    It opens without a file, so that saving asks for one and leaves the plugin's folder alone.
    """
    krita = Krita.instance()
    opened, window = krita.openDocument(str(SAMPLE)), krita.activeWindow()
    if opened is None or window is None:
        return
    opened.setFileName("")
    window.addView(opened)
    # Krita shows the new document only after this call.
    QtCore.QTimer.singleShot(0, krita.action("select_all_layers").trigger)


def _docker_of(main_window: QtWidgets.QMainWindow) -> ModelsheetDocker:
    docker = main_window.findChild(QtWidgets.QDockWidget, DOCKER_ID)
    assert isinstance(docker, ModelsheetDocker)
    return docker


def _run_action(main_window: QtWidgets.QMainWindow, name: str, _: bool = False) -> None:
    docker = _docker_of(main_window)
    actions.handlers(docker.controller, docker.animate, docker.bring_up)[name]()
