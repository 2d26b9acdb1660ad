"""Find the backend's address: this computer's, started when needed, or a remote one's."""

from __future__ import annotations

import time

from ..errors import BackendDown, BackendMissing, BackendRefused, BadInput
from ..i18n import tr
from .client import Address
from .connection_thread import BackendConnection, ConnectionState
from .launcher import Launcher

MOST_STARTS = 3
IN_A_ROW_S = 300.0  # a later start is no sign of a fault: an idle backend ends by itself


class RemoteBackend:
    """A backend at a URL that the artist entered."""

    def __init__(self, address: Address) -> None:
        self._address = address

    @property
    def can_set_up(self) -> bool:
        """False: another computer's is set up there."""
        return False

    def address(self, connection: BackendConnection) -> Address:
        """Return the address that was entered."""
        return self._address

    def stop(self) -> None:
        """Raise BadInput: a remote backend is stopped on its own computer."""
        raise BadInput(tr("This backend runs on another computer: stop or restart it there."))


class LocalBackend:
    """The backend of this computer: the running one, else a new one."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher
        self._starts = 0
        self._started_at = 0.0

    @property
    def can_set_up(self) -> bool:
        """True where the plugin came by its zip."""
        return self._launcher.can_set_up

    def address(self, connection: BackendConnection) -> Address:
        """Return the running backend's address; start one first if there is none.

        Raises BackendMissing after three starts in a row, BackendDown when it ended at once.
        """
        running = self._running(connection)
        if running is not None:
            return running
        if time.monotonic() - self._started_at > IN_A_ROW_S:
            self._starts = 0
        self._starts, self._started_at = self._starts + 1, time.monotonic()
        if self._starts > MOST_STARTS:
            self._starts = 0
            raise BackendMissing(
                tr(
                    "The backend stopped again and again. Repair it ({how}), then press Try Again.",
                    how=self._launcher.how_to_repair,
                )
            )
        connection.announce(ConnectionState("starting"))
        self._launcher.start(connection.wait)
        started = self._running(connection)
        if started is None:
            raise BackendDown(tr("The backend started and went away again. Press Try Again."))
        return started

    def stop(self) -> None:
        """Ask the running backend to end."""
        self._starts = 0
        self._launcher.stop()

    def _running(self, connection: BackendConnection) -> Address | None:
        """Return the address in the connection file if a backend that knows its token answers."""
        found = self._launcher.find()
        if found is None:
            return None
        client = connection.client(found)
        try:
            client.prove()
        except (BackendDown, BackendRefused):
            return None  # a file left behind: no backend, or a stranger, answers there
        finally:
            client.close()
        return found
