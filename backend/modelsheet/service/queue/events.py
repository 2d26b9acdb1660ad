"""Keep the newest event of each job, to be read with a cursor and a long poll.

A client needs the current state of each job, not every step on the way, so only the newest event of
each job is kept, and memory stays bounded. A restart of the service makes a gap, and so do a few
hundred other jobs since the last page.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Literal

from modelsheet.api.jobs import Event, EventPage, JobView
from modelsheet.service.auth.caller import OPERATOR, Caller

_BUSY_RETRY_MS = 1000
_MAX_KEPT = 300  # jobs, so that memory stays flat


class EventLog:
    """The newest event of each job, in order; `boot_id` marks the cursors of this run of the
    service.
    """

    def __init__(self, boot_id: str, max_waiters: int) -> None:
        self._boot_id = boot_id
        self._changed = threading.Condition()
        self._newest: dict[str, Event] = {}  # in order of seq: a changed job moves to the end
        self._seq = 0
        self._forgotten = 0  # a cursor before this seq has missed events
        self._free_waits = threading.BoundedSemaphore(max_waiters)
        self._closed = False

    def publish_job(self, view: JobView) -> None:
        """Publish a change of a job."""
        self._publish(view.id, view)

    def publish_subjects(self) -> None:
        """Publish that the list of subjects has changed."""
        self._publish("subjects", None)

    def read(
        self, after: str, wait_s: float, job_id: str | None = None, caller: Caller = OPERATOR
    ) -> EventPage:
        """Return the events after a cursor that the caller may see, waiting up to `wait_s` for the
        first.

        Without a cursor, or with one of an earlier run, the page is a gap: read the jobs, then go
        on from its cursor.
        """

        def wants(view: JobView | None) -> bool:
            if view is None:
                return job_id is None
            return caller.sees(view.owner) and job_id in (None, view.id)

        seq = self._sequence(after)
        with self._changed:
            if seq is None or not self._forgotten <= seq <= self._seq:
                return EventPage(events=[], cursor=self._cursor(), gap=True)
            page = self._page(seq, wants)
        if page.events or wait_s <= 0:
            return page
        if not self._free_waits.acquire(blocking=False):
            return page.model_copy(update={"retry_ms": _BUSY_RETRY_MS})
        try:
            return self._wait(seq, wait_s, wants)
        finally:
            self._free_waits.release()

    def close(self) -> None:
        """Answer all waiting reads at once, and later reads without waiting."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _publish(self, key: str, view: JobView | None) -> None:
        with self._changed:
            self._seq += 1
            self._newest.pop(key, None)
            kind: Literal["job", "subjects"] = "subjects" if view is None else "job"
            self._newest[key] = Event(seq=self._seq, type=kind, job=view)
            while len(self._newest) > _MAX_KEPT:
                self._forgotten = self._newest.pop(next(iter(self._newest))).seq
            self._changed.notify_all()

    def _wait(self, seq: int, wait_s: float, wants: Callable[[JobView | None], bool]) -> EventPage:
        deadline = time.monotonic() + wait_s
        with self._changed:
            page = self._page(seq, wants)
            while not page.events and not self._closed:
                remaining = deadline - time.monotonic()
                if remaining <= 0 or not self._changed.wait(remaining):
                    break
                page = self._page(seq, wants)
            return page

    def _page(self, seq: int, wants: Callable[[JobView | None], bool]) -> EventPage:
        fresh: list[Event] = []
        for event in reversed(self._newest.values()):
            if event.seq <= seq:
                break
            if wants(event.job):
                fresh.append(event)
        retry_ms = _BUSY_RETRY_MS if self._closed else 0
        return EventPage(events=fresh[::-1], cursor=self._cursor(), retry_ms=retry_ms)

    def _cursor(self) -> str:
        return f"{self._boot_id}:{self._seq}"

    def _sequence(self, cursor: str) -> int | None:
        boot_id, _, seq = cursor.partition(":")
        return int(seq) if boot_id == self._boot_id and seq.isdigit() else None
