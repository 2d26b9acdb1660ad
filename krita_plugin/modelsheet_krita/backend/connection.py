"""The one background thread that talks with the backend, and the signals that tell of it.

Errands are asked for on the main thread, carried out here in order, and answered on the main
thread again.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Callable, Protocol

from ..errors import BackendDown, BackendError, BackendMissing
from ..guard import guarded
from ..i18n import tr
from ..pace import SLICE_S
from ..qt import QtCore, Signal
from .api_responses import Capabilities
from .client import POLL_S, Address, Client
from .link_state import LinkState, Stopped, Turned
from .long_poll import Bell

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0


class Source(Protocol):
    """Where an address comes from."""

    def address(self, link: BackendLink) -> Address: ...

    def stop(self) -> None:
        """End the backend. Raises BadInput where it is not ours to end."""
        ...


@dataclass(frozen=True)
class _Errand:
    call: Callable[[Client], Any]
    on_answer: Callable[[Any], None]
    on_trouble: Callable[[BackendError], None]


class BackendLink(QtCore.QObject):
    """Shared by all windows of Krita.

    `announce`, `pause` and `client` are for the sources, all else is for the main thread.
    """

    state_changed = Signal(object)  # LinkState
    jobs_listed = Signal(object)  # tuple[JobView, ...]: all there are
    job_changed = Signal(object)  # JobView
    subjects_listed = Signal(object)  # tuple[SubjectView, ...]
    stumbled = Signal(str)  # what a callback of ours did not foresee
    _has_news = Signal()

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.state = LinkState("idle")
        self._source = source
        self._bell = Bell()
        self._errands: deque[_Errand] = deque()
        self._stopping = False
        self._source_changed = False
        self._is_resting = False
        self._thread = threading.Thread(target=self._run, name="modelsheet-link", daemon=True)
        # The signal carries nothing: to queue a Python object Qt copies it under a lock of its own,
        # for which it needs Python's lock, and Krita holds that one through each call of its API.
        self._news: deque[Callable[[], None]] = deque()
        self._has_news.connect(self._deliver, QtCore.Qt.ConnectionType.QueuedConnection)

    def wake(self) -> None:
        """Connect, or, when it is down, try again at once."""
        if self._stopping:
            return
        self._is_resting = False
        self._ring()

    def _ring(self) -> None:
        if self._stopping:
            return
        if not self._thread.is_alive():
            self._thread.start()
        self._bell.ring()

    def use(self, source: Source) -> None:
        """Leave the present backend for another one."""
        self._source = source
        self._source_changed = True
        self.wake()

    def tell_all(self) -> None:
        """Tell of all jobs and subjects again, for a window that was not there before."""
        if self.state.phase == "connected":
            self.ask(lambda client: client.jobs(), self.jobs_listed.emit, lambda trouble: None)
            self.ask(
                lambda client: client.subjects(), self.subjects_listed.emit, lambda trouble: None
            )

    def look_again(self) -> None:
        """Ask anew what the backend has, and tell of it as of a new state."""
        self.ask(lambda client: client.capabilities(), self._on_capabilities, lambda trouble: None)

    def _on_capabilities(self, found: Capabilities) -> None:
        if self.state.phase == "connected":
            self._set_state(LinkState("connected", capabilities=found))

    def restart(self) -> None:
        """End the backend; the link then starts it anew. Raises BadInput: it is not ours."""
        self._end_backend()
        self.wake()

    def rest(self) -> None:
        """End the backend and leave it so until somebody wakes it. Raises BadInput: not ours."""
        self._end_backend()
        self._is_resting = True
        self._source_changed = True
        self._ring()

    def _end_backend(self) -> None:
        # Only what has proved to be our backend: a stale file may name somebody else's process.
        if self.state.phase == "connected":
            self._source.stop()

    def ask(
        self,
        call: Callable[[Client], Any],
        on_answer: Callable[[Any], None],
        on_trouble: Callable[[BackendError], None],
    ) -> None:
        """Run `call` on the link's thread, then one of the others on the main thread."""
        self._errands.append(_Errand(call, on_answer, on_trouble))
        self._ring()

    def stop(self) -> None:
        """End the talk, as Krita does; the backend goes on."""
        if self._stopping:
            return
        self._stopping = True
        if self._thread.is_alive():
            self._bell.ring()
            self._thread.join(2.0)  # an answer that is awaited may take longer: it ends by itself
        else:
            self._bell.close()

    def announce(self, state: LinkState) -> None:
        self._tell(lambda: self._set_state(state))

    def pause(self, seconds: float | None) -> None:
        """Wait, but not longer than until somebody wants something. Raises Stopped."""
        self._bell.wait(seconds)
        if self._stopping:
            raise Stopped

    def client(self, address: Address) -> Client:
        return Client(address, self._bell, lambda: None)

    def _run(self) -> None:
        try:
            self._talk()
        finally:
            self._bell.close()

    def _talk(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._stopping:
            try:
                self._connect_and_follow()
            except Stopped:
                return
            except Turned:
                delay_s = FIRST_DELAY_S
            except BackendDown as error:
                self._be_down(error, random.uniform(0.5, 1.0) * delay_s)
                delay_s = min(delay_s * 2, LONGEST_DELAY_S)
            except BackendError as error:
                self._be_down(error, None)
                delay_s = FIRST_DELAY_S

    def _be_down(self, error: BackendError, retry_after_s: float | None) -> None:
        self.announce(LinkState("down", str(error)))
        while self._errands:
            self._answer(self._errands.popleft().on_trouble, error)
        self._bell.wait(retry_after_s)

    def _connect_and_follow(self) -> None:
        self._source_changed = False
        if self._is_resting:
            raise BackendMissing(tr("The backend is stopped. Try Again starts it."))
        self.announce(LinkState("looking"))
        address = self._source.address(self)
        client: Client | None = None

        def on_ring() -> None:
            assert client is not None
            self._work_off(client)

        client = Client(address, self._bell, on_ring)
        try:
            capabilities = client.capabilities()
            cursor = self._read_all(client)
            self.announce(LinkState("connected", capabilities=capabilities))
            self._follow(client, cursor)
        finally:
            client.close()

    def _follow(self, client: Client, cursor: str) -> None:
        while True:
            self._work_off(client)
            page = client.events(cursor, POLL_S)
            cursor = page.cursor
            if page.gap:  # the backend was restarted, or we slept for too long
                cursor = self._read_all(client)
            for event in page.events:
                if event.job is not None:
                    self._answer(self.job_changed.emit, event.job)
                else:
                    self._answer(self.subjects_listed.emit, client.subjects())
            if page.retry_ms:
                self.pause(page.retry_ms / 1000)

    def _read_all(self, client: Client) -> str:
        cursor = client.events("", 0).cursor
        self._answer(self.jobs_listed.emit, client.jobs())
        self._answer(self.subjects_listed.emit, client.subjects())
        return cursor

    def _work_off(self, client: Client) -> None:
        while self._errands and not self._stopping and not self._source_changed:
            errand = self._errands.popleft()
            try:
                self._answer(errand.on_answer, errand.call(client))
            except BackendError as error:
                self._answer(errand.on_trouble, error)
        if self._stopping:
            raise Stopped
        if self._source_changed:
            raise Turned

    def _answer(self, receiver: Callable[[Any], None], answer: Any) -> None:
        self._tell(lambda: receiver(answer))

    def _tell(self, news: Callable[[], None]) -> None:
        self._news.append(news)
        self._has_news.emit()

    def _set_state(self, state: LinkState) -> None:
        self.state = state
        self.state_changed.emit(state)

    def _deliver(self) -> None:
        end = time.monotonic() + SLICE_S
        while self._news:
            guarded(self._news.popleft(), self._on_stumble)
            if self._news and time.monotonic() > end:
                self._has_news.emit()  # the rest in a later turn of Krita's
                return

    def _on_stumble(self, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}"
        self.stumbled.emit(tr("Modelsheet stumbled ({why}).", why=why))
