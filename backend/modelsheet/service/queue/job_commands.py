"""What people ask of jobs: submit, cancel, pause, resume, finish early, move. The other half of the
ledger, which says which changes there are.
"""

from __future__ import annotations

import time

from modelsheet.api.jobs import TERMINAL_STATES, JobRequest, JobState, Progress
from modelsheet.errors import Busy, Conflict, IdempotencyConflict
from modelsheet.service.queue.job import Job, Value
from modelsheet.service.queue.table import JobTable

MAX_QUEUED = 200  # for each artist


class Wishes:
    """Each is one transaction; asking twice is asking once."""

    def __init__(self, table: JobTable) -> None:
        self._table = table

    def submitted(self, request: JobRequest, key: str | None, owner: str = "") -> Job | None:
        """Return the job that this artist's key made. Raises IdempotencyConflict: it was made of
        another request.
        """
        job = self._table.by_key(_scoped(key, owner)) if key else None
        if job is not None and job.request != request:
            raise IdempotencyConflict(
                "This Idempotency-Key belongs to another request; use a fresh one."
            )
        return job

    def submit(
        self, request: JobRequest, key: str | None = None, owner: str = "", most: int = MAX_QUEUED
    ) -> Job:
        """Queue a job; with a key already used for the same request, return that one's job.

        Raises IdempotencyConflict: the key was used for another request. Busy: `most` wait already.
        """
        with self._table.transaction():
            known = self.submitted(request, key, owner)
            if known is not None:
                return known
            if len(self._table.ids(("queued",), owner)) >= most:
                raise Busy(f"{most} jobs wait already; try again when some are done.")
            return self._table.insert(request, _scoped(key, owner) if key else None, owner)

    def cancel(self, job_id: str) -> Job:
        """Cancel a waiting job, or ask a running one to stop; asking twice is asking once.

        Raises Conflict: the job is done or has failed.
        """
        with self._table.transaction():
            job = self._table.get(job_id)
            if job.view.state == "cancelled" or job.cancel_requested:
                return job
            self._in(job_id, "queued", "paused", "running")
            if job.view.state == "running":
                return self._table.update(job, "running", cancel_requested=1)
            return self._end(job, "cancelled")

    def pause(self, job_id: str) -> Job:
        """Pause a waiting job, or ask a running one to step aside until resumed. Raises Conflict:
        it is over.
        """
        with self._table.transaction():
            job = self._in(job_id, "queued", "paused", "running")
            if job.view.state == "running":
                return self._table.update(job, "running", pause_requested=1)
            return self._table.update(job, "paused")

    def resume(self, job_id: str) -> Job:
        """Queue a paused job again. Raises Conflict: the job is over."""
        with self._table.transaction():
            job = self._in(job_id, "queued", "paused", "running")
            if job.view.state == "running":
                return self._table.update(job, "running", pause_requested=0)
            return self._table.update(job, "queued", error=None)

    def finish_early(self, job_id: str) -> Job:
        """Ask a learn job to stop and keep the best so far; one that waits is queued for that.

        Raises Conflict: it is over, has learnt nothing yet, or is no learn job.
        """
        with self._table.transaction():
            job = self._in(job_id, "queued", "paused", "running")
            if job.view.kind != "learn":
                raise Conflict("Only learning has a best so far to keep; cancel this job instead.")
            if job.view.state == "running":
                return self._table.update(job, "running", finish_requested=1)
            if job.view.progress.step == 0:
                raise Conflict("It has not learnt anything yet; cancel it instead.")
            return self._table.update(job, "queued", finish_requested=1, error=None)

    def move(self, job_id: str, before: str | None) -> Job:
        """Put a waiting job right before another that waits and is as urgent, or behind them all.

        Raises Conflict: one of the two does not wait, or the other is more or less urgent.
        """
        with self._table.transaction():
            job = self._in(job_id, "queued")
            alike = [j for j in self._table.in_state("queued") if j.priority == job.priority]
            order = [j.id for j in alike if j.id != job.id]
            if before not in (None, job.id, *order):
                raise Conflict("The other job does not wait among those that are as urgent.")
            if before == job.id:
                return job
            order.insert(len(order) if before is None else order.index(before), job.id)
            by_id = {j.id: j for j in alike}
            # The places they have are given out anew, so that no other job is touched.
            for place, moved in zip((j.place for j in alike), order, strict=True):
                if by_id[moved].place != place:
                    self._table.update(by_id[moved], "queued", place=place)
            return self._table.get(job.id)

    def _in(self, job_id: str, *states: JobState) -> Job:
        job = self._table.get(job_id)
        if job.view.state not in states:
            over = job.view.state in TERMINAL_STATES
            advice = "it is over; submit a new one." if over else "try again in a moment."
            raise Conflict(f"That is not possible for a job that is {job.view.state}: {advice}")
        return job

    def _end(
        self, job: Job, state: JobState, progress: Progress | None = None, **columns: Value
    ) -> Job:
        return self._table.update(job, state, progress, finished=time.time(), **columns)


def _scoped(key: str, owner: str) -> str:
    """Artists who happen to use the same key mean different jobs; no key has a line break."""
    return f"{owner}\n{key}" if owner else key
