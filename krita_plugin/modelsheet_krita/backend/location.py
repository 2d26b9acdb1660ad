"""Where the backend's address comes from: this computer, or the artist's entry."""

from __future__ import annotations

from ..errors import BackendDown, BackendMissing, BackendRefused, BadInput
from ..i18n import tr
from .client import Address
from .connection import BackendLink
from .launcher import Launcher
from .link_state import LinkState

MOST_STARTS = 3


class RemoteBackend:
    """A backend that somebody else runs; its address is known."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def address(self, link: BackendLink) -> Address:
        return self._address

    def stop(self) -> None:
        raise BadInput(tr("This backend runs on another computer: stop or restart it there."))


class LocalBackend:
    """The backend of this computer: the one that runs, else a new one."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._starts = 0

    def address(self, link: BackendLink) -> Address:
        running = self._running(link)
        if running is not None:
            return running
        self._starts += 1
        if self._starts > MOST_STARTS:
            self._starts = 0
            raise BackendMissing(
                tr(
                    "The backend stopped again and again. Run “modelsheet doctor” in a terminal to "
                    "see what it lacks, then press Try Again."
                )
            )
        link.announce(LinkState("starting"))
        self._launcher.start(link.pause)
        started = self._running(link)
        if started is None:
            raise BackendDown(tr("The backend started and went away again. Press Try Again."))
        return started

    def stop(self) -> None:
        self._starts = 0
        self._launcher.stop()

    def _running(self, link: BackendLink) -> Address | None:
        found = self._launcher.find()
        if found is None:
            return None
        client = link.client(found)
        try:
            client.prove()
        except (BackendDown, BackendRefused):
            return None  # a file left behind: nobody, or a stranger, answers there
        finally:
            client.close()
        return found
