"""Show in the docker the state of the connection and every error."""

from __future__ import annotations

import re
from functools import partial
from typing import Callable

from ..backend.connection_thread import BackendConnection, ConnectionState
from ..errors import BackendError, PluginError
from ..i18n import tr
from ..tasks import guarded
from ..ui.model_list import model_name
from ..ui.panel import Panel

# How the backend names a model to download: by the command for a terminal.
DOWNLOAD = re.compile(r"\s*[^.:]*: modelsheet models download ([\w-]+)\.?")


class Notices:
    """Guards clicks, and shows errors and the connection's state in the panel."""

    def __init__(self, panel: Panel, connection: BackendConnection) -> None:
        self._panel, self._connection = panel, connection
        self._download: Callable[[str], None] | None = None
        connection.subscribe(panel, state=self._show_state, error=panel.notice.say)
        panel.connection_notice.acted.connect(self._on_acted)
        self._show_state(connection.state)

    def attempt(self, action: Callable[[], object]) -> None:
        """Run the action of a click; show the error if it fails."""
        guarded(action, self.show_error)

    def guard(self, action: Callable[..., object]) -> Callable[..., None]:
        """Return a slot that runs `action` with the signal's arguments as `attempt` does."""
        return lambda *arguments: self.attempt(partial(action, *arguments))

    def offer_downloads(self, download: Callable[[str], None]) -> None:
        """Offer to download a model that a sentence names; `download` takes its id."""
        self._download = download

    def say(self, sentences: str) -> None:
        """Show sentences of the backend; a model that they name can be downloaded by a button."""
        found = DOWNLOAD.search(sentences)
        if found is None or self._download is None:
            self._panel.notice.say(sentences)
            return
        self._panel.notice.say(
            sentences[: found.start()] if found.end() == len(sentences) else sentences,
            action=tr("Download"),
            on_action=partial(self._download, found[1]),
        )

    def show_error(self, error: Exception) -> None:
        """Show any error; other ones than PluginError as unexpected."""
        self._panel.notice.say(sentence_of(error))

    def show_request_error(self, error: BackendError) -> None:
        """Show the error of a request, unless the notice of a lost connection says so already."""
        if self._connection.state.phase != "down":
            self.say(str(error))

    def _on_acted(self) -> None:
        if self._connection.state.can_set_up:
            self._panel.backend_wanted.emit("setup")
        else:
            self._connection.connect_now()

    def _show_state(self, state: ConnectionState) -> None:
        connected = state.phase == "connected"
        self._panel.generate.setEnabled(connected)
        self._panel.box.explore.setEnabled(connected)
        if state.phase == "down":
            action = tr("Set Up…") if state.can_set_up else tr("Try Again")
            self._panel.connection_notice.say(state.sentence, action=action)
            self._panel.show_jobs(())
        else:
            self._panel.connection_notice.hide()
        self._panel.show_status(_status(state), _running_hint(state), is_ready=connected)


def sentence_of(error: Exception) -> str:
    """Return the sentence for an error; other ones than PluginError are unexpected."""
    if isinstance(error, PluginError):
        return str(error)
    return tr(
        "Something went wrong ({why}). The document is unchanged; try again, and report it if it "
        "happens again.",
        why=f"{type(error).__name__}: {error}",
    )


def _running_hint(state: ConnectionState) -> str:
    """Say how long a backend that this computer has started goes on running."""
    minutes = state.capabilities.idle_minutes if state.capabilities else 0
    if state.phase != "connected" or not minutes:
        return ""
    return tr(
        "It goes on learning when Krita is closed, and ends {count} min after its last job. To end "
        "it now, choose Stop in the menu beside this line.",
        count=round(minutes, 1) if minutes % 1 else int(minutes),
    )


def _status(state: ConnectionState) -> str:
    if state.phase == "connected":
        models = state.capabilities.base_models if state.capabilities else ()
        names = [model_name(model) for model in models if model.available]
        return tr("Ready: {models}", models=" · ".join(names)) if names else tr("Ready")
    return {
        "idle": tr("Backend: not asked yet"),
        "looking": tr("Backend: looking for it…"),
        "starting": tr("Backend: starting…"),
        "down": tr("Backend: not connected"),
    }[state.phase]
