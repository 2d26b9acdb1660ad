"""Jobs in the queue, without a database."""

from __future__ import annotations

from modelsheet.api.jobs import JobView, Progress
from modelsheet.service.queue.job import PRIORITIES, Job, JobKind


def queued_job(owner: str, number: int, kind: JobKind = "generate") -> Job:
    view = JobView(
        id=f"{owner}{number}",
        kind=kind,
        title="t",
        state="queued",
        attempt=1,
        progress=Progress(),
        created=0.0,
        owner=owner,
    )
    return Job(view, "{}", PRIORITIES[kind], 1, cancel_requested=False, pause_requested=False)
