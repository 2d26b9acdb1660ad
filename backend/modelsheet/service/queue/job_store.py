"""The durable store of jobs. Each transition is one transaction with one event; final states are
final.

    queued -> running -> done | failed | cancelled
    running -> queued    suspended (free), or its worker was lost (costs an attempt)
    running -> paused    asked for, or the disk is full;  queued -> paused;  paused -> queued
    queued | paused -> cancelled

Every way out of `running` that leads back raises the fence, by which reports of an earlier run are
refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.jobs import (
    TERMINAL_STATES,
    JobError,
    JobRequest,
    JobResult,
    JobState,
    JobView,
    Progress,
)
from modelsheet.errors import Busy, Conflict, IdempotencyConflict, WorkerCrashed
from modelsheet.service.queue.job import UNFINISHED_STATES, Job, Value
from modelsheet.service.queue.job_table import JobTable

MAX_ATTEMPTS = 3
MAX_QUEUED = 200  # for each artist


class StaleReport(Exception):
    """A report of a run that is no longer its job's current one."""


class JobStore:
    """All changes of jobs: first the commands of users, each idempotent, then what runs report.

    `table` has the rows, to be read. `on_change` is called with every change, in order, under the
    table's lock.
    """

    def __init__(
        self, path: Path, on_change: Callable[[JobView], None], save_interval_s: float = 1.0
    ) -> None:
        self.table = JobTable(path, on_change, save_interval_s)

    def close(self) -> None:
        """Close the database."""
        self.table.close()

    def find_submitted(self, request: JobRequest, key: str | None, owner: str = "") -> Job | None:
        """Return the job that was submitted with this key, None if there is none.

        Raises IdempotencyConflict: it was submitted with another request.
        """
        job = self.table.by_key(_scoped(key, owner)) if key else None
        if job is not None and job.request != request:
            raise IdempotencyConflict(
                "This Idempotency-Key belongs to another request; use a fresh one."
            )
        return job

    def submit(
        self, request: JobRequest, key: str | None = None, owner: str = "", most: int = MAX_QUEUED
    ) -> Job:
        """Queue a job, or return the one that was submitted with the same key and request.

        Raises IdempotencyConflict: the key was used for another request. Busy: `most` are queued
        or paused.
        """
        with self.table.transaction():
            known = self.find_submitted(request, key, owner)
            if known is not None:
                return known
            if len(self.table.ids(("queued", "paused"), owner)) >= most:
                raise Busy(
                    f"{most} jobs wait already, counting paused ones; try again when some are done."
                )
            return self.table.insert(request, _scoped(key, owner) if key else None, owner)

    def cancel(self, job_id: str) -> Job:
        """Cancel a queued job, or ask a running one to stop.

        Raises Conflict: the job is done or has failed.
        """
        with self.table.transaction():
            job = self.table.get(job_id)
            if job.view.state == "cancelled" or job.cancel_requested:
                return job
            self._require_state(job_id, *UNFINISHED_STATES)
            if job.view.state == "running":
                return self.table.update(job, "running", cancel_requested=1)
            return self._end(job, "cancelled")

    def pause(self, job_id: str) -> Job:
        """Pause a queued job, or ask a running one to stop until resumed. Raises Conflict: it is
        over.
        """
        with self.table.transaction():
            job = self._require_state(job_id, *UNFINISHED_STATES)
            if job.view.state == "running":
                return self.table.update(job, "running", pause_requested=1)
            return self.table.update(job, "paused")

    def resume(self, job_id: str, most: int = MAX_QUEUED) -> Job:
        """Queue a paused job again. Raises Conflict: the job is over. Busy: `most` are queued."""
        with self.table.transaction():
            job = self._require_state(job_id, *UNFINISHED_STATES)
            if job.view.state == "running":
                return self.table.update(job, "running", pause_requested=0)
            self._require_room(job, most)
            return self.table.update(job, "queued", error=None)

    def finish_early(self, job_id: str, most: int = MAX_QUEUED) -> Job:
        """Ask a running learn job to stop and keep its best state; queue a paused one for that.

        Raises Conflict: it is over, has learnt nothing yet, or is no learn job. Busy: `most` are
        queued.
        """
        with self.table.transaction():
            job = self._require_state(job_id, *UNFINISHED_STATES)
            if job.view.kind != "learn":
                raise Conflict("Only learning has a best so far to keep; cancel this job instead.")
            if job.view.state == "running":
                return self.table.update(job, "running", finish_requested=1)
            if job.view.progress.step == 0:
                raise Conflict("It has not learnt anything yet; cancel it instead.")
            self._require_room(job, most)
            return self.table.update(job, "queued", finish_requested=1, error=None)

    def move(self, job_id: str, before: str | None) -> Job:
        """Move a queued job right before another of the same priority, or behind all of them.

        Raises Conflict: one of the two is not queued, or their priorities differ.
        """
        with self.table.transaction():
            job = self._require_state(job_id, "queued")
            if before == job.id:
                return job
            other = self.table.get(before) if before is not None else None
            if other is not None and (other.view.state, other.priority) != ("queued", job.priority):
                raise Conflict("The other job does not wait among those that are as urgent.")
            return self.table.update(job, "queued", place=self.table.place_before(job, other))

    def start(self, job_id: str) -> Job:
        """Mark a queued job as running. Raises Conflict: it is no longer queued."""
        with self.table.transaction():
            job = self._require_state(job_id, "queued")
            started = job.view.started or time.time()
            return self.table.update(job, "running", started=started)

    def require_current(self, job_id: str, fence: int) -> Job:
        """Return a running job. Raises StaleReport: `fence` is not that of its current run."""
        job = self.table.get(job_id)
        if job.fence != fence or job.view.state != "running":
            raise StaleReport(f"job {job_id}, fence {fence}: is {job.view.state}, {job.fence}")
        return job

    def record_progress(self, job_id: str, fence: int, progress: Progress) -> None:
        """Record a run's progress. The curve and previews known so far stay when it brings none."""
        with self.table.reading():
            job = self.require_current(job_id, fence)
            known = job.view.progress
            curve, previews = progress.curve or known.curve, progress.previews or known.previews
            whole = progress.model_copy(update={"curve": curve, "previews": previews})
            self.table.note_progress(job, whole)

    def note_stall(self, job_id: str, fence: int, is_stalled: bool) -> None:
        """Mark a running job as stalled, or as no longer stalled."""
        with self.table.reading():
            self.table.note_stall(self.require_current(job_id, fence), is_stalled)

    def note_phase(self, job_id: str, fence: int, phase: str) -> None:
        """Show a phase for a running job until its next progress."""
        with self.table.reading():
            job = self.require_current(job_id, fence)
            update = {"phase": phase, "eta_s": None}
            self.table.note_progress(job, job.view.progress.model_copy(update=update))

    def finish(self, job_id: str, fence: int, result: JobResult) -> Job:
        """Mark a running job as done."""
        with self.table.transaction():
            job = self.require_current(job_id, fence)
            update = {"phase": "done", "fraction": 1.0, "eta_s": None}
            progress = job.view.progress.model_copy(update=update)
            return self._end(job, "done", progress, result=result.model_dump_json())

    def fail(self, job_id: str, fence: int, error: JobError) -> Job:
        """Mark a running job as failed."""
        with self.table.transaction():
            return self._fail(self.require_current(job_id, fence), error)

    def mark_cancelled(self, job_id: str, fence: int) -> Job:
        """Mark a running job as cancelled, once its runner has stopped."""
        with self.table.transaction():
            return self._end(self.require_current(job_id, fence), "cancelled")

    def requeue(self, job_id: str, fence: int) -> Job:
        """Queue a running job again at its old place, or pause it if that was requested."""
        with self.table.transaction():
            return self._stop_running(self.require_current(job_id, fence), "waiting to go on")

    def pause_with_error(self, job_id: str, fence: int, error: JobError) -> Job:
        """Pause a running job with an error that the user must mend before resuming it."""
        with self.table.transaction():
            job = self.require_current(job_id, fence)
            return self._stop_running(job, "paused", must_pause=True, error=error.model_dump_json())

    def record_loss(self, job_id: str, fence: int, reason: str) -> Job:
        """Queue a job again whose worker died; after MAX_ATTEMPTS it has failed."""
        with self.table.transaction():
            job = self.require_current(job_id, fence)
            if job.view.attempt >= MAX_ATTEMPTS and not job.cancel_requested:
                return self._fail(job, _crashed_too_often(reason))
            return self._stop_running(job, "starting again", attempt=job.view.attempt + 1)

    def _require_room(self, job: Job, most: int) -> None:
        """Raise Busy if a paused job's owner has as many queued jobs as they may."""
        if job.view.state == "paused" and len(self.table.ids(("queued",), job.view.owner)) >= most:
            raise Busy(f"{most} jobs wait already; try again when some are done.")

    def _require_state(self, job_id: str, *states: JobState) -> Job:
        job = self.table.get(job_id)
        if job.view.state not in states:
            over = job.view.state in TERMINAL_STATES
            advice = "it is over; submit a new one." if over else "try again in a moment."
            raise Conflict(f"That is not possible for a job that is {job.view.state}: {advice}")
        return job

    def _end(
        self, job: Job, state: JobState, progress: Progress | None = None, **columns: Value
    ) -> Job:
        return self.table.update(job, state, progress, finished=time.time(), **columns)

    def _stop_running(
        self, job: Job, phase: str, must_pause: bool = False, **columns: Value
    ) -> Job:
        if job.cancel_requested:
            return self._end(job, "cancelled")
        pauses = must_pause or job.pause_requested
        phase = "paused" if pauses else phase
        progress = job.view.progress.model_copy(update={"phase": phase, "eta_s": None})
        columns |= {"fence": job.fence + 1, "pause_requested": 0}
        return self.table.update(job, "paused" if pauses else "queued", progress, **columns)

    def _fail(self, job: Job, error: JobError) -> Job:
        return self._end(job, "failed", error=error.model_dump_json())


def _scoped(key: str, owner: str) -> str:
    """Return the key as the table stores it: apart for each artist. No key has a line break."""
    return f"{owner}\n{key}" if owner else key


def _crashed_too_often(reason: str) -> JobError:
    sentence = (
        f"The worker died {MAX_ATTEMPTS} times on this job (last: {reason}). "
        "Its log has the details; a smaller preset or fewer pictures may get through."
    )
    return JobError.of(WorkerCrashed(sentence))
