"""Talk to the backend on one background thread and deliver all its news on the main thread.

The main thread asks with `request`; the background thread runs the calls in order and, between
them, long-polls for events. Answers, errors, events and state changes all come back in one way: the
background thread appends a (handler, value) pair to a queue, and `_deliver` calls the handlers on
the main thread, each guarded, so that an exception in one reaches neither Krita nor the next one.
A request brings its own two handlers; events go to the handlers that `subscribe` was given.
"""

from __future__ import annotations

import random
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Callable, Protocol, TypeVar

from ..errors import (
    BackendDown,
    BackendError,
    BackendMissing,
    BackendNotSetUp,
    BackendOfOtherVersion,
)
from ..i18n import tr
from ..qt import QtCore, Signal, connect_queued
from ..tasks import SLICE_S, guarded
from .api_responses import Capabilities, JobView, SubjectView
from .client import POLL_S, Address, Client
from .long_poll import SelectableEvent

T = TypeVar("T")

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 8.0
CLOSING_S = 1.0  # for the requests that are made as Krita ends
FALLBACK_RESOLUTION = 512


@dataclass(frozen=True)
class ConnectionState:
    """State of the connection; `phase`: idle, looking, starting, connected or down.

    When it is down, `sentence` says what to do, and `can_set_up` tells that the plugin can do it.
    `is_other_version`: a backend of ours runs, but speaks another API.
    """

    phase: str
    sentence: str = ""
    capabilities: Capabilities | None = None
    can_set_up: bool = False
    is_other_version: bool = False

    @property
    def is_running(self) -> bool:
        """True where a backend has proved that it knows the token; a stale file proves nothing."""
        return self.phase == "connected" or self.is_other_version

    @property
    def resolution(self) -> int:
        """Return the largest side in px that a usable base model was trained for."""
        models = self.capabilities.base_models if self.capabilities else ()
        usable = [model.resolution for model in models if model.available]
        return max(usable, default=FALLBACK_RESOLUTION)


class ConnectionClosed(Exception):
    """Unwinds the background thread when the connection is closed."""


class BackendChanged(Exception):
    """Unwinds the background thread's loop when it must leave the present backend."""


class BackendLocation(Protocol):
    """Finds or starts a backend and gives its address; the plugin may be able to set it up."""

    @property
    def can_set_up(self) -> bool:
        """True where the plugin can set up, update and repair it."""
        ...

    def address(self, connection: BackendConnection) -> Address:
        """Return the address; called on the background thread."""
        ...

    def stop(self) -> None:
        """End the backend's process. Raises BadInput where it runs on another computer."""
        ...


@dataclass(frozen=True)
class _PendingRequest:
    """A call for the background thread with the handlers of its result."""

    call: Callable[[Client], Any]
    on_answer: Callable[[Any], None]
    on_error: Callable[[BackendError], None]


@dataclass(frozen=True)
class _Subscription:
    """The handlers of one subscriber; None where it takes no such event."""

    state: Callable[[ConnectionState], None] | None
    jobs: Callable[[tuple[JobView, ...]], None] | None
    job: Callable[[JobView], None] | None
    subjects: Callable[[tuple[SubjectView, ...]], None] | None
    error: Callable[[str], None] | None
    closing: Callable[[], None] | None


class BackendConnection(QtCore.QObject):
    """Connection to one backend at a time, shared by all windows of Krita.

    `announce`, `wait` and `client` are for a BackendLocation on the background thread; all other
    methods are for the main thread.
    """

    _has_news = Signal()

    def __init__(self, location: BackendLocation) -> None:
        super().__init__()
        self.state = ConnectionState("idle")
        self._location = location
        self._wakeup = SelectableEvent()
        self._requests: deque[_PendingRequest] = deque()
        self._subscriptions: list[_Subscription] = []
        self._is_closing = False
        self._close_by = 0.0  # until then requests still run while it is closing
        self._must_reconnect = False
        self._is_backend_stopped = False
        self._thread = threading.Thread(target=self._run, name="modelsheet-connection", daemon=True)
        # The signal carries nothing: to queue a Python object Qt copies it under a lock of its own,
        # for which it needs Python's lock, and Krita holds that one through each call of its API.
        self._news: deque[tuple[Callable[[Any], None], Any]] = deque()
        connect_queued(self._has_news, self._deliver)

    def subscribe(
        self,
        owner: QtCore.QObject,
        *,
        state: Callable[[ConnectionState], None] | None = None,
        jobs: Callable[[tuple[JobView, ...]], None] | None = None,
        job: Callable[[JobView], None] | None = None,
        subjects: Callable[[tuple[SubjectView, ...]], None] | None = None,
        error: Callable[[str], None] | None = None,
        closing: Callable[[], None] | None = None,
    ) -> None:
        """Call these handlers on the main thread until Qt destroys `owner`.

        `jobs` and `subjects` get complete lists, `job` one job that changed, `error` a sentence
        about an exception in a handler; `closing` may make the last requests. Subscribers are
        called in the order of subscription.
        """
        subscription = _Subscription(state, jobs, job, subjects, error, closing)
        self._subscriptions.append(subscription)
        owner.destroyed.connect(lambda: self._subscriptions.remove(subscription))

    def request(
        self,
        call: Callable[[Client], T],
        on_answer: Callable[[T], None],
        on_error: Callable[[BackendError], None],
    ) -> None:
        """Run `call` on the background thread, then one of the handlers on the main thread."""
        self._requests.append(_PendingRequest(call, on_answer, on_error))
        self._wake_thread()

    def connect_now(self) -> None:
        """Connect, or retry at once while the connection is down."""
        self._is_backend_stopped = False
        self._wake_thread()

    def switch_to(self, location: BackendLocation) -> None:
        """Leave the present backend for another one."""
        self._location = location
        self._must_reconnect = True
        self.connect_now()

    def refresh(self) -> None:
        """Send all jobs and subjects to the subscribers again, for a window that was just made."""
        if self.state.phase == "connected":
            self.request(lambda client: client.jobs(), self._on_jobs, lambda error: None)
            self.request(lambda client: client.subjects(), self._on_subjects, lambda error: None)

    def refresh_capabilities(self) -> None:
        """Ask the backend for its capabilities again and send them to the subscribers."""
        self.request(
            lambda client: client.capabilities(), self._on_capabilities, lambda error: None
        )

    def restart_backend(self) -> None:
        """End the backend's process and start a new one. Raises BadInput for a remote one."""
        self._end_backend()
        self.connect_now()

    def stop_backend(self) -> None:
        """End the backend's process until `connect_now`. Raises BadInput for a remote one."""
        self._end_backend()
        self._is_backend_stopped = True
        self._must_reconnect = True
        self._wake_thread()

    def close(self) -> None:
        """Run the last requests, then end the background thread, as Krita ends; the backend goes
        on.
        """
        if self._is_closing:
            return
        for handler in [one.closing for one in self._subscriptions if one.closing is not None]:
            guarded(handler, self._on_unexpected)
        self._close_by = time.monotonic() + CLOSING_S
        self._is_closing = True
        if self._thread.is_alive():
            self._wakeup.set()
            self._thread.join(2.0)  # an answer that is awaited may take longer: it ends by itself
        else:
            self._wakeup.close()

    def announce(self, state: ConnectionState) -> None:
        """Set the state on the main thread and send it to the subscribers."""
        self._post(self._set_state, state)

    def wait(self, seconds: float | None) -> None:
        """Sleep until a request is made, at most `seconds`. Raises ConnectionClosed."""
        self._wakeup.wait(seconds)
        if self._is_closing:
            raise ConnectionClosed

    def client(self, address: Address) -> Client:
        """Return a client that long polls without running requests."""
        return Client(address, self._wakeup, lambda: None)

    def _end_backend(self) -> None:
        if self.state.is_running:
            self._location.stop()

    def _wake_thread(self) -> None:
        if self._is_closing:
            return
        if not self._thread.is_alive():
            self._thread.start()
        self._wakeup.set()

    def _run(self) -> None:
        try:
            self._connect_until_closed()
        finally:
            self._wakeup.close()

    def _connect_until_closed(self) -> None:
        delay_s = FIRST_DELAY_S
        while not self._is_closing:
            try:
                self._connect()
            except ConnectionClosed:
                return
            except BackendChanged:
                delay_s = FIRST_DELAY_S
            except BackendDown as error:
                self._fail_requests(error, random.uniform(0.5, 1.0) * delay_s)
                delay_s = min(delay_s * 2, LONGEST_DELAY_S)
            except BackendError as error:
                self._fail_requests(error, None)
                delay_s = FIRST_DELAY_S

    def _fail_requests(self, error: BackendError, retry_after_s: float | None) -> None:
        is_other_version = isinstance(error, BackendOfOtherVersion)
        can_set_up = isinstance(error, BackendNotSetUp) or (
            is_other_version and self._location.can_set_up
        )
        self.announce(
            ConnectionState(
                "down", str(error), can_set_up=can_set_up, is_other_version=is_other_version
            )
        )
        while self._requests:
            self._post(self._requests.popleft().on_error, error)
        self._wakeup.wait(retry_after_s)

    def _connect(self) -> None:
        self._must_reconnect = False
        if self._is_backend_stopped:
            raise BackendMissing(tr("The backend is stopped. Try Again starts it."))
        self.announce(ConnectionState("looking"))
        address = self._location.address(self)
        client: Client | None = None

        def on_wakeup() -> None:
            assert client is not None
            self._run_requests(client)

        client = Client(address, self._wakeup, on_wakeup)
        try:
            client.prove()
            capabilities = client.capabilities()
            cursor = self._read_all(client)
            self.announce(ConnectionState("connected", capabilities=capabilities))
            self._poll_events(client, cursor)
        finally:
            client.close()

    def _poll_events(self, client: Client, cursor: str) -> None:
        while True:
            self._run_requests(client)
            page = client.events(cursor, POLL_S)
            cursor = page.cursor
            if page.gap:  # the backend was restarted, or we slept for too long
                cursor = self._read_all(client)
            for event in page.events:
                if event.job is not None:
                    self._post(self._on_job, event.job)
                else:
                    self._post(self._on_subjects, client.subjects())
            if page.retry_ms:
                self.wait(page.retry_ms / 1000)

    def _read_all(self, client: Client) -> str:
        """Send all jobs and subjects to the subscribers; return the cursor of later events."""
        cursor = client.events("", 0).cursor
        self._post(self._on_jobs, client.jobs())
        self._post(self._on_subjects, client.subjects())
        return cursor

    def _run_requests(self, client: Client) -> None:
        while self._requests and not self._is_too_late and not self._must_reconnect:
            request = self._requests.popleft()
            try:
                self._post(request.on_answer, request.call(client))
            except BackendError as error:
                self._post(request.on_error, error)
        if self._is_closing:
            raise ConnectionClosed
        if self._must_reconnect:
            raise BackendChanged

    @property
    def _is_too_late(self) -> bool:
        return self._is_closing and time.monotonic() > self._close_by

    def _post(self, handler: Callable[[T], None], value: T) -> None:
        """Call `handler` with `value` on the main thread, which may be gone once it is closing."""
        if not self._is_closing:
            self._news.append((handler, value))
            self._has_news.emit()

    def _deliver(self) -> None:
        end = time.monotonic() + SLICE_S
        while self._news and not self._is_closing:
            handler, value = self._news.popleft()
            self._call(handler, value)
            if self._news and time.monotonic() > end:
                self._has_news.emit()  # the rest later, so that Krita can paint meanwhile
                return

    def _call(self, handler: Callable[[T], None], value: T) -> None:
        guarded(lambda: handler(value), self._on_unexpected)

    def _publish(self, handlers: Sequence[Callable[[T], None] | None], value: T) -> None:
        for handler in handlers:
            if handler is not None:
                self._call(handler, value)

    def _set_state(self, state: ConnectionState) -> None:
        self.state = state
        self._publish([one.state for one in self._subscriptions], state)

    def _on_jobs(self, jobs: tuple[JobView, ...]) -> None:
        self._publish([one.jobs for one in self._subscriptions], jobs)

    def _on_job(self, job: JobView) -> None:
        self._publish([one.job for one in self._subscriptions], job)

    def _on_subjects(self, subjects: tuple[SubjectView, ...]) -> None:
        self._publish([one.subjects for one in self._subscriptions], subjects)

    def _on_capabilities(self, found: Capabilities) -> None:
        if self.state.phase == "connected":
            self._set_state(ConnectionState("connected", capabilities=found))

    def _on_unexpected(self, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}"
        sentence = tr("Something went wrong ({why}).", why=why)
        for handler in [one.error for one in self._subscriptions if one.error is not None]:
            handler(sentence)
