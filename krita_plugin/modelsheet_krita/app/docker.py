"""Where Krita meets the plugin: the docker, the action in the Layer menu, Krita's end."""

from __future__ import annotations

import os
from functools import partial
from typing import Any

from krita import DockWidget, DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita

from ..backend.connection import BackendLink, Source
from ..backend.launcher import Launcher
from ..backend.location import LocalBackend, RemoteBackend
from ..controllers import diagnostics
from ..controllers.controller import Controller
from ..document import document
from ..i18n import tr
from ..qt import QtCore, QtGui, QtWidgets
from ..ui.backend_dialog import BackendForm
from ..ui.panel import Panel
from . import actions, docker_placement
from .fallback_docker import DOCKER_ID
from .settings import BackendChoice, Preferences, launch_plan

FIRST_LOOK_MS = 500


class ModelsheetDocker(DockWidget):
    """One per window; all of them share the link."""

    def __init__(self, link: BackendLink, preferences: Preferences) -> None:
        super().__init__()
        self.setWindowTitle("Modelsheet")
        self._link, self._preferences = link, preferences
        self._form: BackendForm | None = None
        panel = Panel(icon)
        panel.box.count.setValue(preferences.count())
        panel.box.count.valueChanged.connect(preferences.set_count)
        panel.backend_wanted.connect(self._on_backend_wanted)
        self.controller = Controller(
            panel,
            link,
            preferences=preferences,
            current_document=_document_in_front,
            icon=icon,
        )
        # Krita's window must be able to stay low, even with a tall panel.
        scroll = QtWidgets.QScrollArea()
        scroll.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        scroll.setWidgetResizable(True)
        scroll.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setWidget(panel)
        self.setWidget(scroll)
        for notice in (panel.trouble, panel.notice):
            notice.said.connect(partial(_bring_into_view, scroll, notice))
        panel.queue.learning_shown.connect(partial(_bring_into_view, scroll, panel.queue))
        self.visibilityChanged.connect(self._on_visibility)

    def canvasChanged(self, canvas: Any) -> None:
        """Nothing is kept of the canvas: each click asks for the document in front."""
        # Krita shows the new document only after this call.
        QtCore.QTimer.singleShot(0, self._on_document)

    def _on_document(self) -> None:
        self.controller.attempt(self.controller.look_at_document)

    def learn(self) -> None:
        self.setVisible(True)
        self.raise_()
        self.controller.learn()

    def _on_visibility(self, visible: bool) -> None:
        if visible:
            self._link.wake()
            # Krita lays its window out after this call.
            QtCore.QTimer.singleShot(FIRST_LOOK_MS, self._on_seen)

    def _on_seen(self) -> None:
        if self.isVisible() and self._preferences.take_first_sight():
            docker_placement.give_room(self)

    def _on_backend_wanted(self, what: str) -> None:
        {
            "settings": self._open_backend_form,
            "restart": lambda: self.controller.attempt(self._link.restart),
            "stop": lambda: self.controller.attempt(self._link.rest),
            "report": self._copy_report,
        }[what]()

    def _copy_report(self) -> None:
        choice = self._preferences.backend()
        text = diagnostics.report(
            self._link.state,
            self.controller.jobs.all,
            krita_version=Krita.instance().version(),
            url=choice.url if choice.is_remote else "",
        )
        QtWidgets.QApplication.clipboard().setText(text)
        said = tr("The report is in the clipboard. It has no tokens, names or prompts.")
        self.controller.panel.notice.say(said, icon="dialog-ok")

    def _open_backend_form(self) -> None:
        choice = self._preferences.backend()
        if self._form is not None:
            self._form.deleteLater()
        self._form = form = BackendForm(
            icon,
            self.window(),
            is_remote=choice.is_remote,
            url=choice.url,
            token=choice.token,
            capabilities=self._link.state.capabilities,
        )
        self.controller.stock.attend(form.models)
        form.sent.connect(lambda: self._on_backend_chosen(form))
        form.open()

    def _on_backend_chosen(self, form: BackendForm) -> None:
        url, token = form.url.text().strip(), form.token.text().strip()
        choice = BackendChoice(form.remote.isChecked(), url, token)
        self._preferences.set_backend(choice)
        self._link.use(source(choice))
        form.accept()


class ModelsheetExtension(Extension):
    """Puts the action into each window's Layer menu and ends the link with Krita."""

    def __init__(self, parent: Any, link: BackendLink) -> None:
        super().__init__(parent)
        self._link = link

    def setup(self) -> None:
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.applicationClosing.connect(self._link.stop)

    def createActions(self, window: Any) -> None:
        # Krita deletes its Window wrapper after this call; Qt's own window stays.
        main_window = window.qwindow()
        for name, text, menu in actions.listed():
            action = window.createAction(name, text, menu)
            action.setText(text)  # Krita takes the untranslated one from the .action file
            action.triggered.connect(partial(_act, main_window, name))


def register() -> None:
    """Hand Krita the extension and the docker's factory."""
    krita = Krita.instance()
    preferences = Preferences()
    link = BackendLink(source(preferences.backend()))

    class Docker(ModelsheetDocker):
        """Krita's factory calls its class without arguments."""

        def __init__(self) -> None:
            super().__init__(link, preferences)

    krita.addExtension(ModelsheetExtension(krita, link))
    side = DockWidgetFactoryBase.DockRight
    krita.addDockWidgetFactory(DockWidgetFactory(DOCKER_ID, side, Docker))


def source(choice: BackendChoice) -> Source:
    """Where the artist's choice of backend is found."""
    if choice.is_remote:
        return RemoteBackend(choice.address)
    return LocalBackend(Launcher(launch_plan(), os.environ))


def icon(name: str) -> QtGui.QIcon:
    return Krita.instance().icon(name)


def _bring_into_view(scroll: QtWidgets.QScrollArea, news: QtWidgets.QWidget) -> None:
    """Beside Krita's other dockers ours may be so low that news would not be seen."""

    def bring() -> None:
        if news.isVisible():
            scroll.ensureWidgetVisible(news, 0, 0)

    QtCore.QTimer.singleShot(0, bring)  # once it has its place


def _document_in_front() -> document.OpenDocument:
    return document.current(Krita.instance().activeWindow())


def _docker_of(main_window: QtWidgets.QMainWindow) -> ModelsheetDocker:
    docker = main_window.findChild(QtWidgets.QDockWidget, DOCKER_ID)
    assert isinstance(docker, ModelsheetDocker)
    return docker


def _act(main_window: QtWidgets.QMainWindow, name: str, _: bool = False) -> None:
    actions.meanings(_docker_of(main_window))[name]()
