"""Build the operator's overview of workers, queued jobs and each artist's GPU time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from modelsheet.api.admin import ArtistView, WaitingJobView, WorkerView, WorkloadView
from modelsheet.service.queue.job import Job
from modelsheet.service.scheduling.scheduler import ActiveRun


def workload_view(
    workers: list[WorkerView],
    runs: Collection[ActiveRun],
    waiting: Sequence[tuple[Job, str]],
    used_s: Mapping[str, float],
) -> WorkloadView:
    """Return the overview. `waiting` has queued jobs with the reason each waits for; `used_s`, the
    seconds of ended runs by artist.
    """
    now = time.monotonic()
    running = Counter(run.job.view.owner for run in runs)
    queued = Counter(job.view.owner for job, _ in waiting)
    current_s = {
        owner: sum(now - run.started for run in runs if run.job.view.owner == owner)
        for owner in running
    }
    artists = [
        ArtistView(
            name=name,
            running=running[name],
            waiting=queued[name],
            used_s=used_s.get(name, 0.0) + current_s.get(name, 0.0),
        )
        for name in sorted({*running, *queued, *used_s})
    ]
    waits = [_wait(job, reason) for job, reason in waiting]
    return WorkloadView(workers=workers, waiting=waits, artists=artists)


def _wait(job: Job, reason: str) -> WaitingJobView:
    view = job.view
    return WaitingJobView(
        job_id=job.id,
        owner=view.owner,
        kind=view.kind,
        title=view.title,
        since=view.created,
        reason=reason,
    )
