"""Submit, list and control jobs on behalf of a caller, with an audit log."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from typing import Literal

from modelsheet.api.jobs import JobList, JobRequest, JobView, QueueState, QueueView
from modelsheet.api.learn import LearnRequest
from modelsheet.errors import NotFound
from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.queue.admission import Admission
from modelsheet.service.queue.hold import QueueHold
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import MAX_QUEUED, JobStore
from modelsheet.service.storage.ballast_file import BallastFile

_audit = logging.getLogger("modelsheet.audit")
Command = Literal["cancel", "pause", "resume", "finish"]
_PAGE = 50  # jobs
_AFTER_ALL = 1 << 62
_COMMANDS: dict[Command, Callable[[JobStore, str, int], Job]] = {
    "cancel": lambda store, job_id, _: store.cancel(job_id),
    "pause": lambda store, job_id, _: store.pause(job_id),
    "resume": JobStore.resume,
    "finish": JobStore.finish_early,
}
_STOPPING: tuple[Command, ...] = ("cancel", "pause")


class JobService:
    """Artists reach their own jobs, the operator all: another artist's job raises NotFound, as if
    it did not exist. `wake` tells the dispatcher of a change; `queued_of` returns an artist's limit
    of queued jobs, 0 for MAX_QUEUED. `on_learn` is called before a learn job is queued.
    """

    def __init__(
        self,
        store: JobStore,
        admission: Admission,
        hold: QueueHold,
        reserve: BallastFile,
        wake: Callable[[], None],
        queued_of: Callable[[str], int],
        on_learn: Callable[[Caller, LearnRequest], None],
    ) -> None:
        self._store = store
        self._admission = admission
        self._hold = hold
        self._reserve = reserve
        self._wake = wake
        self._queued_of = queued_of
        self._on_learn = on_learn

    def submit(self, caller: Caller, request: JobRequest, key: str | None = None) -> JobView:
        """Queue a job. Raises the errors of Admission.check and JobStore.submit."""
        job = self._store.find_submitted(request, key, caller.name)
        if job is not None:
            return job.view
        self._admission.check(request, caller)
        if isinstance(request, LearnRequest):
            self._on_learn(caller, request)
        most = self._queued_of(caller.name) or MAX_QUEUED
        return self._changed(caller, "submit", self._store.submit(request, key, caller.name, most))

    def page(self, caller: Caller, after: str = "") -> JobList:
        """Return the newest jobs after a cursor, abridged, newest first."""
        before = int(after) if after else _AFTER_ALL
        views, last = self._store.table.page(caller.scope, before, _PAGE)
        return JobList(jobs=views, cursor=str(last) if last else "")

    def get(self, caller: Caller, job_id: str) -> JobView:
        """Return a job."""
        return self._own(caller, job_id).view

    def command(self, caller: Caller, job_id: str, command: Command) -> JobView:
        """Carry out a command on a job. Raises Conflict: its state does not allow it.
        Busy: to resume it, too many others wait.
        """
        job = self._own(caller, job_id)
        most = self._queued_of(job.view.owner) or MAX_QUEUED
        try:
            changed = _COMMANDS[command](self._store, job.id, most)
        except (sqlite3.OperationalError, OSError):  # a full disk, which the job itself may fill
            if command not in _STOPPING or not self._reserve.release():
                raise
            changed = _COMMANDS[command](self._store, job.id, most)
        return self._changed(caller, command, changed)

    def move(self, caller: Caller, job_id: str, before: str | None) -> JobView:
        """Move a queued job right before another, or to the end. Raises Conflict."""
        ahead = self._own(caller, before).id if before else None
        job = self._own(caller, job_id)
        return self._changed(caller, "move", self._store.move(job.id, ahead))

    def queue(self, caller: Caller) -> QueueView:
        """Return the state of the queue and the ids of the caller's queued jobs, in order."""
        waiting = self._store.table.ids(("queued",), caller.scope)
        return QueueView(state=self._hold.state, waiting=waiting)

    def set_queue(self, state: QueueState) -> QueueView:
        """Open or hold the queue, or end the service after the running jobs."""
        self._hold.set(state)
        _audit.info("operator: the queue is %s", state)
        self._wake()
        return self.queue(OPERATOR)

    def _own(self, caller: Caller, job_id: str) -> Job:
        job = self._store.table.get(job_id)
        if not caller.sees(job.view.owner):
            raise NotFound(f"There is no job {job_id}; list the jobs to see those there are.")
        return job

    def _changed(self, caller: Caller, action: str, job: Job) -> JobView:
        actor = caller.name or "operator"
        _audit.info("%s: %s job %s (%s)", actor, action, job.id, job.view.kind)
        self._wake()
        return job.view
