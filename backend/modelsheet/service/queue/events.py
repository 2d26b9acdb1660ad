"""Keep the newest event of each job, to be read with a cursor and a long poll.

A client needs the current state of each job, not every step on the way, so only the newest event of
each job is kept, as the JSON that is sent, and no more than a number of bytes. A restart of the
service makes a gap, and so do too many changes of other jobs since the last page.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from dataclasses import dataclass
from typing import Literal

from modelsheet.api.jobs import Event, JobView
from modelsheet.service.auth.caller import OPERATOR, Caller

_CLOSED_RETRY_MS = 1000
_MOST_KEPT = 300  # jobs
_MOST_BYTES = 16 << 20  # of all events together
_PAGE_BYTES = 1 << 20  # after which a page ends; the next one goes on from its cursor


@dataclass(frozen=True)
class _Entry:
    """One event as JSON. `owner` and `job_id` are None for a change of the subjects."""

    seq: int
    owner: str | None
    job_id: str | None
    content: bytes


@dataclass(frozen=True)
class _Filter:
    """The events that a caller may and wants to see."""

    caller: Caller
    job_id: str | None

    def takes(self, entry: _Entry) -> bool:
        if entry.owner is None:
            return self.job_id is None
        return self.caller.sees(entry.owner) and self.job_id in (None, entry.job_id)


@dataclass(frozen=True)
class _Waiter:
    """A long poll on an event loop, until its future has a result."""

    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]
    filter: _Filter

    def wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # its loop has ended
            self.loop.call_soon_threadsafe(self._resolve)

    def _resolve(self) -> None:
        if not self.future.done():
            self.future.set_result(None)


class EventLog:
    """The newest event of each job, in order; `boot_id` marks the cursors of this run of the
    service.
    """

    def __init__(self, boot_id: str) -> None:
        self._boot_id = boot_id
        self._lock = threading.Lock()
        self._newest: dict[str, _Entry] = {}  # in order of seq: a changed job moves to the end
        self._bytes = 0
        self._seq = 0
        self._forgotten = 0  # a cursor before this seq has missed events
        self._waiters: set[_Waiter] = set()
        self._closed = False

    def publish_job(self, view: JobView) -> None:
        """Publish a change of a job."""
        self._publish(view.id, view)

    def publish_subjects(self) -> None:
        """Publish that the list of subjects has changed."""
        self._publish("subjects", None)

    def read(self, after: str, job_id: str | None = None, caller: Caller = OPERATOR) -> bytes:
        """Return an EventPage as JSON: the events after a cursor that the caller may see.

        Without a cursor, or with one of an earlier run, the page is a gap: read the jobs, then go
        on from its cursor.
        """
        with self._lock:
            return self._page(after, _Filter(caller, job_id))[0]

    async def wait(
        self, after: str, wait_s: float, job_id: str | None = None, caller: Caller = OPERATOR
    ) -> bytes:
        """Return what `read` does, waiting up to `wait_s` for the first event."""
        wanted = _Filter(caller, job_id)
        loop = asyncio.get_running_loop()
        waiter = _Waiter(loop, loop.create_future(), wanted)
        with self._lock:
            page, has_news = self._page(after, wanted)
            if has_news or wait_s <= 0 or self._closed:
                return page
            self._waiters.add(waiter)
        try:
            await asyncio.wait([waiter.future], timeout=wait_s)
        finally:
            with self._lock:
                self._waiters.discard(waiter)
        return self.read(after, job_id, caller)

    def end_waits(self, name: str) -> None:
        """Answer the waiting reads of an artist at once."""
        with self._lock:
            self._wake([one for one in self._waiters if one.filter.caller.name == name])

    def close(self) -> None:
        """Answer all waiting reads at once, and later reads without waiting."""
        with self._lock:
            self._closed = True
            self._wake(list(self._waiters))

    def _publish(self, key: str, view: JobView | None) -> None:
        kind: Literal["job", "subjects"] = "subjects" if view is None else "job"
        with self._lock:
            self._seq += 1
            event = Event(seq=self._seq, type=kind, job=view)
            owner, job_id = (view.owner, view.id) if view else (None, None)
            entry = _Entry(self._seq, owner, job_id, event.model_dump_json().encode())
            self._remove(key)
            self._newest[key] = entry
            self._bytes += len(entry.content)
            while len(self._newest) > _MOST_KEPT or self._bytes > _MOST_BYTES:
                self._forgotten = self._remove(next(iter(self._newest)))
            self._wake([one for one in self._waiters if one.filter.takes(entry)])

    def _remove(self, key: str) -> int:
        """Remove an entry, if there is one, and return its seq."""
        entry = self._newest.pop(key, None)
        if entry is None:
            return 0
        self._bytes -= len(entry.content)
        return entry.seq

    def _wake(self, waiters: list[_Waiter]) -> None:
        for waiter in waiters:
            self._waiters.discard(waiter)
            waiter.wake()

    def _page(self, after: str, wanted: _Filter) -> tuple[bytes, bool]:
        """Return a page, and whether it says anything new."""
        seq = self._sequence(after)
        if seq is None or not self._forgotten <= seq <= self._seq:
            return _page_json([], self._cursor(self._seq), gap=True), True
        fresh: list[_Entry] = []
        for entry in reversed(self._newest.values()):
            if entry.seq <= seq:
                break
            if wanted.takes(entry):
                fresh.append(entry)
        sent: list[bytes] = []
        size, end = 0, self._seq
        for entry in reversed(fresh):
            if sent and size + len(entry.content) > _PAGE_BYTES:
                break
            sent.append(entry.content)
            size += len(entry.content)
        if len(sent) < len(fresh):
            end = fresh[-len(sent)].seq
        retry_ms = _CLOSED_RETRY_MS if self._closed else 0
        return _page_json(sent, self._cursor(end), retry_ms=retry_ms), bool(sent)

    def _cursor(self, seq: int) -> str:
        return f"{self._boot_id}:{seq}"

    def _sequence(self, cursor: str) -> int | None:
        boot_id, _, seq = cursor.partition(":")
        return int(seq) if boot_id == self._boot_id and seq.isdigit() else None


def _page_json(events: list[bytes], cursor: str, *, gap: bool = False, retry_ms: int = 0) -> bytes:
    """Return the JSON of an EventPage whose events are JSON already."""
    rest = json.dumps({"cursor": cursor, "gap": gap, "retry_ms": retry_ms}).encode()
    return b'{"events":[' + b",".join(events) + b"]," + rest[1:]
