"""Whose turn it is: an artist's picture overtakes learning, and learning still gets on. Pure
arithmetic with a clock.

Urgent work may interrupt learning at once, but each second it took is a second learning may then
run undisturbed (up to `quantum_s`), and after `burst_s` of urgent work on end a waiting learn job
has its turn. Among jobs as urgent as each other, the artist comes first who had least.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelsheet.service.queue.job import PRIORITIES, Job
from modelsheet.service.scheduling.fair_share import Shares, Warmth, no_warmth


def is_urgent(job: Job) -> bool:
    return job.priority > PRIORITIES["learn"]


class Turns:
    """Remembers how long urgent jobs kept learning waiting, on all GPUs together, and who had how
    much. Times are seconds of one monotonic clock.
    """

    def __init__(self, quantum_s: float, burst_s: float) -> None:
        self._quantum_s = quantum_s
        self._burst_s = burst_s
        self._owed_s = 0.0  # what urgent work took since learning last ran
        self._undisturbed_until: dict[str, float] = {}  # by patient job that runs
        self._begun: set[str] = set()  # learning that stepped aside goes on before others begin
        self._shares = Shares()

    def next(self, queued: Sequence[Job], warmth: Warmth = no_warmth) -> Job | None:
        """Return the job to start; `queued` is in order of priority and place."""
        self._shares.welcome(queued)
        patient = [job for job in queued if not is_urgent(job)]
        if patient and self._owed_s >= self._burst_s:
            return self._fairest(patient, warmth)
        return self._fairest(queued, warmth)

    def started(self, job: Job, now: float) -> None:
        self._shares.started(job)
        if not is_urgent(job):
            self._begun.add(job.id)
            self._undisturbed_until[job.id] = now + min(self._owed_s, self._quantum_s)
            self._owed_s = 0.0

    def ended(self, job: Job, ran_s: float, is_learning_waiting: bool) -> None:
        """Take note that an attempt is over, as far as it came."""
        self._shares.ended(job, ran_s)
        self._undisturbed_until.pop(job.id, None)
        if not is_learning_waiting:
            self._owed_s = 0.0
        elif is_urgent(job):
            self._owed_s += ran_s

    @property
    def used_s(self) -> dict[str, float]:
        """The seconds that each artist's jobs ran, those that still run left out."""
        return dict(self._shares.used_s)

    def forget(self, job_id: str) -> None:
        """The job will not come back."""
        self._begun.discard(job_id)

    def interrupts_at(self, running: Job, queued: Sequence[Job]) -> float | None:
        """Return when the running job should step aside for a queued one, None for not at all."""
        wanted = not is_urgent(running) and any(job.priority > running.priority for job in queued)
        return self._undisturbed_until.get(running.id) if wanted else None

    def _fairest(self, queued: Sequence[Job], warmth: Warmth) -> Job | None:
        """Return the first job of the artist who had least, among the most urgent ones."""
        alike = [job for job in queued if job.priority == queued[0].priority]
        begun = [job for job in alike if job.id in self._begun]
        return self._shares.fairest(begun or alike, warmth)
