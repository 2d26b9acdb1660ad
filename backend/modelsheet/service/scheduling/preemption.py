"""Decide when generating preempts learning, without starving it. Pure arithmetic with a clock.

Generating preempts describing at once, and describing is begun anew. An urgent job may preempt
learning at once, but for each second it took learning may then run a
second undisturbed (up to `quantum_s`), and after `burst_s` of urgent jobs in a row a queued learn
job comes first. Among jobs of the same priority, FairShare decides.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelsheet.service.queue.job import PRIORITIES, Job
from modelsheet.service.scheduling.fair_share import FairShare, Warmth, no_warmth


def is_urgent(job: Job) -> bool:
    """Return True for a job that an artist waits for."""
    return job.priority > PRIORITIES["learn"]


class PreemptionPolicy:
    """The time that urgent jobs delayed learning, over all GPUs, and the artists' fair shares.
    Times are seconds of one monotonic clock.
    """

    def __init__(self, quantum_s: float, burst_s: float) -> None:
        self._quantum_s = quantum_s
        self._burst_s = burst_s
        self._owed_s = 0.0  # that urgent jobs took since learning last ran
        self._undisturbed_until: dict[str, float] = {}  # by running job that is not urgent
        self._begun: set[str] = set()  # preempted learning goes on before other learning begins
        self._fair_share = FairShare()

    def next_job(self, queued: Sequence[Job], warmth: Warmth = no_warmth) -> Job | None:
        """Return the job to start; `queued` is in order of priority and place."""
        self._fair_share.note_queued(queued)
        not_urgent = [job for job in queued if not is_urgent(job)]
        if not_urgent and self._owed_s >= self._burst_s:
            return self._choose(not_urgent, warmth)
        return self._choose(queued, warmth)

    def started(self, job: Job, now: float) -> None:
        """Record that a run started."""
        self._fair_share.started(job)
        if not is_urgent(job):
            self._begun.add(job.id)
            self._undisturbed_until[job.id] = now + min(self._owed_s, self._quantum_s)
            self._owed_s = 0.0

    def ended(self, job: Job, ran_s: float, is_learning_waiting: bool) -> None:
        """Record that a run ended, whether its job is done or not."""
        self._fair_share.ended(job, ran_s)
        self._undisturbed_until.pop(job.id, None)
        if not is_learning_waiting:
            self._owed_s = 0.0
        elif is_urgent(job):
            self._owed_s += ran_s

    @property
    def used_s(self) -> dict[str, float]:
        """Return the seconds that each artist's ended runs took."""
        return dict(self._fair_share.total_s)

    @property
    def begun(self) -> frozenset[str]:
        """Return the ids of the jobs that are not urgent, have run, and are not over."""
        return frozenset(self._begun)

    def forget(self, job_id: str) -> None:
        """Forget a job that is over."""
        self._begun.discard(job_id)

    def preempt_at(self, running: Job, queued: Sequence[Job]) -> float | None:
        """Return when a running job should be preempted for a queued one, None for never."""
        wanted = any(job.priority > running.priority for job in queued)
        return self._undisturbed_until.get(running.id, 0.0) if wanted else None

    def _choose(self, queued: Sequence[Job], warmth: Warmth) -> Job | None:
        """Return the fairest of the most urgent jobs."""
        alike = [job for job in queued if job.priority == queued[0].priority]
        begun = [job for job in alike if job.id in self._begun]
        return self._fair_share.choose(begun or alike, warmth)
