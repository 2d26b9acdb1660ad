"""Line in the status bar of Krita's window while the docker is hidden, as behind another tab."""

from __future__ import annotations

from ..i18n import tr
from ..qt import QtCore, QtWidgets, not_none
from ..ui.parts.elided import ElidedToolButton

WIDTH = 24  # in heights of a line of text


class StatusLine(QtCore.QObject):
    """Shows the running job, else the newest news that the artist has not seen.

    A click brings the docker to the front.
    """

    def __init__(
        self,
        docker: QtWidgets.QDockWidget,
        activity: QtCore.pyqtBoundSignal,
        news: QtCore.pyqtBoundSignal,
    ) -> None:
        super().__init__(docker)
        self._docker = docker
        self._activity = self._news = ""
        self._is_seen = False
        self.button: ElidedToolButton | None = None
        activity.connect(self._on_activity)
        news.connect(self._on_news)
        docker.visibilityChanged.connect(self._on_visibility)

    def _on_activity(self, text: str) -> None:
        self._activity = text
        self._show()

    def _on_news(self, text: str) -> None:
        self._news = text
        self._show()

    def _on_visibility(self, is_visible: bool) -> None:
        self._is_seen = is_visible
        if is_visible:
            self._news = ""
        self._show()

    def _show(self) -> None:
        text = self._activity or self._news
        is_shown = bool(text) and not self._is_seen
        button = self.button or (self._make_button() if is_shown else None)
        if button is not None:
            button.setText(f"Modelsheet: {text}")
            button.setVisible(is_shown)

    def _make_button(self) -> ElidedToolButton | None:
        """Make the button in the status bar; None as long as the docker is in no window."""
        window = self._docker.parentWidget()
        if not isinstance(window, QtWidgets.QMainWindow):
            return None
        self.button = button = ElidedToolButton()
        button.setObjectName("modelsheet_status_line")
        button.setAutoRaise(True)
        button.setToolTip(tr("Show the docker"))
        button.setMaximumWidth(WIDTH * button.fontMetrics().height())
        button.clicked.connect(self._bring_to_front)
        not_none(window.statusBar()).addPermanentWidget(button)
        return button

    def _bring_to_front(self) -> None:
        self._docker.setVisible(True)
        self._docker.raise_()
