"""The jobs as one caller sees them: their own, or everybody's for the one who runs the service."""

from __future__ import annotations

import logging
from collections.abc import Callable

from modelsheet.api.jobs import JobRequest, JobView, QueueView
from modelsheet.errors import NotFound
from modelsheet.service.auth.caller import Caller
from modelsheet.service.queue.admission import Admission
from modelsheet.service.queue.hold import Gate
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_commands import MAX_QUEUED
from modelsheet.service.queue.job_store import Ledger

_audit = logging.getLogger("modelsheet.audit")


class Desk:
    """Every method raises NotFound for a job of somebody else, as if there were none."""

    def __init__(
        self,
        caller: Caller,
        ledger: Ledger,
        admission: Admission,
        gate: Gate,
        wake: Callable[[], None],
        queued_of: Callable[[str], int],
    ) -> None:
        self._caller = caller
        self._ledger = ledger
        self._admission = admission
        self._gate = gate
        self._wake = wake
        self._queued_of = queued_of

    def submit(self, request: JobRequest, key: str | None = None) -> JobView:
        """Queue a job. Raises what Admission.check and Ledger.submit raise."""
        owner = self._caller.name
        job = self._ledger.submitted(request, key, owner)
        if job is None:
            self._admission.check(request, self._caller)
            most = self._queued_of(owner) or MAX_QUEUED
            job = self._ledger.submit(request, key, owner, most)
            self._note("submit", job)
            self._wake()
        return job.view

    def jobs(self) -> list[JobView]:
        return [job.view for job in self._ledger.newest(self._caller.scope)]

    def job(self, job_id: str) -> JobView:
        return self._own(job_id).view

    def cancel(self, job_id: str) -> JobView:
        """Raises Conflict."""
        return self._changed("cancel", self._ledger.cancel(self._own(job_id).id))

    def pause(self, job_id: str) -> JobView:
        """Raises Conflict."""
        return self._changed("pause", self._ledger.pause(self._own(job_id).id))

    def resume(self, job_id: str) -> JobView:
        """Raises Conflict."""
        return self._changed("resume", self._ledger.resume(self._own(job_id).id))

    def finish(self, job_id: str) -> JobView:
        """Stop learning and keep the best so far. Raises Conflict."""
        return self._changed("finish", self._ledger.finish_early(self._own(job_id).id))

    def move(self, job_id: str, before: str | None) -> JobView:
        """Raises Conflict."""
        ahead = self._own(before).id if before else None
        return self._changed("move", self._ledger.move(self._own(job_id).id, ahead))

    def queue(self) -> QueueView:
        waiting = [job.id for job in self._ledger.in_state("queued") if self._sees(job)]
        return QueueView(state=self._gate.state, waiting=waiting)

    def _own(self, job_id: str) -> Job:
        job = self._ledger.get(job_id)
        if not self._sees(job):
            raise NotFound(f"There is no job {job_id}; list the jobs to see those there are.")
        return job

    def _sees(self, job: Job) -> bool:
        return self._caller.sees(job.view.owner)

    def _changed(self, what: str, job: Job) -> JobView:
        self._note(what, job)
        self._wake()
        return job.view

    def _note(self, what: str, job: Job) -> None:
        who = self._caller.name or "operator"
        _audit.info("%s: %s job %s (%s)", who, what, job.id, job.view.kind)
