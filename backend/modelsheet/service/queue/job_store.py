"""The durable truth about every job. Each transition is one transaction with one event; final
states are final.

    queued -> running -> done | failed | cancelled
    running -> queued    stepped aside (free), or its worker was lost (costs an attempt)
    running -> paused    asked for, or the disk is full;  queued -> paused;  paused -> queued
    queued | paused -> cancelled

Every way out of `running` that leads back raises the fence: whatever an earlier attempt still says
is refused.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from modelsheet.api.jobs import JobError, JobResult, JobState, JobView, Progress
from modelsheet.errors import WorkerCrashed
from modelsheet.service.queue.job import Job, Value
from modelsheet.service.queue.job_commands import Wishes
from modelsheet.service.queue.table import JobTable

MAX_ATTEMPTS = 3
_LISTED = 500


class StaleReport(Exception):
    """An attempt that is no longer the current one tried to change its job."""


class Ledger(Wishes):
    """The only one that changes jobs: what people ask of them, and here what their attempts report.
    `on_change` hears of every change, in order, under the ledger's lock.
    """

    def __init__(
        self, path: Path, on_change: Callable[[JobView], None], save_interval_s: float = 1.0
    ) -> None:
        super().__init__(JobTable(path, on_change, save_interval_s))

    def close(self) -> None:
        self._table.close()

    def get(self, job_id: str) -> Job:
        """Raises NotFound: no such job."""
        return self._table.get(job_id)

    def newest(self, owner: str | None = None) -> list[Job]:
        """Return the newest jobs, newest first; those of one owner, or all."""
        return self._table.newest(_LISTED, owner)

    def in_state(self, state: JobState) -> list[Job]:
        """Return the jobs in a state, those that should run first first."""
        return self._table.in_state(state)

    def forget(self, older_than_s: float, keep: int) -> int:
        """Remove the jobs that are over for so long, save the `keep` newest; return how many."""
        return self._table.forget(older_than_s, keep)

    def unfinished_ids(self) -> list[str]:
        return self._table.ids(("queued", "running", "paused"))

    def lives(self) -> list[sqlite3.Row]:
        """Return kind, state, attempt and the moments of every job, the oldest first."""
        return self._table.lives()

    def stored_requests(self) -> list[str]:
        """Return every job's request and result as JSON."""
        return self._table.requests()

    def require_current(self, job_id: str, fence: int) -> None:
        """Raises StaleReport: another attempt is the current one, or none."""
        self._current(job_id, fence)

    def start(self, job_id: str) -> Job:
        """Raises Conflict: the job does not wait any more."""
        with self._table.transaction():
            job = self._in(job_id, "queued")
            started = job.view.started or time.time()
            return self._table.update(job, "running", started=started)

    def advance(self, job_id: str, fence: int, progress: Progress) -> None:
        """Take note of progress. Curve and previews already known stay when a step brings none."""
        with self._table.reading():
            job = self._current(job_id, fence)
            known = job.view.progress
            curve, previews = progress.curve or known.curve, progress.previews or known.previews
            whole = progress.model_copy(update={"curve": curve, "previews": previews})
            self._table.note_progress(job, whole)

    def note_stall(self, job_id: str, fence: int, is_stalled: bool) -> None:
        """Show, or show no more, that the attempt gives no sign of life."""
        with self._table.reading():
            self._table.note_stall(self._current(job_id, fence), is_stalled)

    def note_phase(self, job_id: str, fence: int, phase: str) -> None:
        """Show what the attempt is at, until it makes progress again."""
        with self._table.reading():
            job = self._current(job_id, fence)
            update = {"phase": phase, "eta_s": None}
            self._table.note_progress(job, job.view.progress.model_copy(update=update))

    def finish(self, job_id: str, fence: int, result: JobResult) -> Job:
        with self._table.transaction():
            job = self._current(job_id, fence)
            update = {"phase": "done", "fraction": 1.0, "eta_s": None}
            progress = job.view.progress.model_copy(update=update)
            return self._end(job, "done", progress, result=result.model_dump_json())

    def fail(self, job_id: str, fence: int, error: JobError) -> Job:
        with self._table.transaction():
            return self._fail(self._current(job_id, fence), error)

    def cancelled(self, job_id: str, fence: int) -> Job:
        with self._table.transaction():
            return self._end(self._current(job_id, fence), "cancelled")

    def step_aside(self, job_id: str, fence: int) -> Job:
        """Put a running job back into the queue at its old place, or pause it if that was asked
        for.
        """
        with self._table.transaction():
            return self._leave(self._current(job_id, fence), "waiting to go on")

    def hold(self, job_id: str, fence: int, error: JobError) -> Job:
        """Pause a running job until what `error` says is mended and somebody resumes it."""
        with self._table.transaction():
            job = self._current(job_id, fence)
            return self._leave(job, "paused", must_pause=True, error=error.model_dump_json())

    def lose(self, job_id: str, fence: int, reason: str) -> Job:
        """Queue a job again whose worker died; after the last attempt it has failed."""
        with self._table.transaction():
            job = self._current(job_id, fence)
            if job.view.attempt >= MAX_ATTEMPTS and not job.cancel_requested:
                return self._fail(job, _crashed_too_often(reason))
            return self._leave(job, "starting again", attempt=job.view.attempt + 1)

    def _current(self, job_id: str, fence: int) -> Job:
        job = self._table.get(job_id)
        if job.fence != fence or job.view.state != "running":
            raise StaleReport(f"job {job_id}, fence {fence}: is {job.view.state}, {job.fence}")
        return job

    def _leave(self, job: Job, phase: str, must_pause: bool = False, **columns: Value) -> Job:
        if job.cancel_requested:
            return self._end(job, "cancelled")
        pauses = must_pause or job.pause_requested
        phase = "paused" if pauses else phase
        progress = job.view.progress.model_copy(update={"phase": phase, "eta_s": None})
        columns |= {"fence": job.fence + 1, "pause_requested": 0}
        return self._table.update(job, "paused" if pauses else "queued", progress, **columns)

    def _fail(self, job: Job, error: JobError) -> Job:
        return self._end(job, "failed", error=error.model_dump_json())


def _crashed_too_often(reason: str) -> JobError:
    return JobError(
        code=WorkerCrashed.code,
        sentence=f"The worker died {MAX_ATTEMPTS} times on this job (last: {reason}). "
        "Its log has the details; a smaller preset or fewer pictures may get through.",
        retryable=WorkerCrashed.retryable,
    )
