"""Decide which queued job runs next, which running job to pause, preempt or cancel, and how long
the dispatcher may sleep.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from modelsheet.api.jobs import TERMINAL_STATES
from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.protocol import Executor, JobRun
from modelsheet.service.queue.hold import QueueHold
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_table import JobTable
from modelsheet.service.scheduling.backoff import Backoff
from modelsheet.service.scheduling.fair_share import Warmth, no_warmth
from modelsheet.service.scheduling.preemption import PreemptionPolicy
from modelsheet.service.scheduling.timeouts import Timings


@dataclass
class ActiveRun:
    """A run in progress. Times are of the monotonic clock."""

    job: Job
    run: JobRun
    started: float
    told: Directive = Directive.RUN
    kill_at: float | None = None


class Scheduler:
    """Decide from the queue, the hold, priorities, fair shares and retry delays. `gpus_of` returns
    how many jobs of an artist may run at once, 0 for any number.
    """

    def __init__(
        self,
        jobs: JobTable,
        hold: QueueHold,
        timings: Timings,
        gpus_of: Callable[[str], int] = lambda owner: 0,
    ) -> None:
        self.hold = hold
        self._jobs = jobs
        self._preemption = PreemptionPolicy(timings.quantum_s, timings.burst_s)
        self._backoff = Backoff(timings.backoff_s)
        self._cancel_grace_s = timings.cancel_grace_s
        self._gpus_of = gpus_of
        self._preempt_at: dict[str, float] = {}  # by running job

    @property
    def used_s(self) -> dict[str, float]:
        """Return the seconds that each artist's ended runs took."""
        return self._preemption.used_s

    def next_job(self, runs: Collection[ActiveRun], warmth: Warmth = no_warmth) -> Job | None:
        """Return the job to start now, if any. `warmth` returns how much of the models that a job
        needs a free worker has in memory.
        """
        if not self.hold.is_open:
            return None
        at_limit = self._at_limit(runs)
        ready = [job for job in self._ready(1) if job.view.owner not in at_limit]
        return self._preemption.next_job(ready, warmth)

    def run_started(self, run: ActiveRun) -> None:
        """Record that a run started."""
        self._preemption.started(run.job, run.started)

    def run_lost(self, run: ActiveRun) -> None:
        """Delay the next run of a job whose worker died."""
        self._backoff.delay(run.job.id, run.job.view.attempt, time.monotonic())

    def run_ended(self, run: ActiveRun) -> None:
        """Record that a run ended, after its job has changed in the store."""
        waiting = self._jobs.has_queued("learn")
        self._preemption.ended(run.job, time.monotonic() - run.started, waiting)
        if self._jobs.get(run.job.id).view.state in TERMINAL_STATES:
            self._preemption.forget(run.job.id)

    def send_directives(self, runs: Collection[ActiveRun], executor: Executor) -> None:
        """Send each running job its directive once; kill a cancelled one after the grace time."""
        now = time.monotonic()
        self._preempt_at = self._choose_preempted(runs)
        for run in runs:
            if run.kill_at is not None and now >= run.kill_at:
                run.kill_at = now + self._cancel_grace_s
                executor.kill(run.job.id)
            wanted = self._directive_for(run, now)
            if wanted is not run.told and run.told is not Directive.CANCEL:
                run.told = wanted
                executor.tell(run.job.id, wanted)
                if wanted is Directive.CANCEL:
                    run.kill_at = now + self._cancel_grace_s

    def sleep_s(self, runs: Collection[ActiveRun], seen_at: float) -> float | None:
        """Return how long no decision is due, None for any time; the queue was last looked at no
        earlier than `seen_at`.
        """
        moments = [self._backoff.next_retry(seen_at)]
        for run in runs:
            moments.append(run.kill_at)
            if run.told is Directive.RUN:
                moments.append(self._preempt_at.get(run.job.id))
        due = [moment for moment in moments if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def waiting(self, runs: Collection[ActiveRun], slots: int) -> list[tuple[Job, str]]:
        """Return the queued jobs in order, each with the reason why it waits."""
        now = time.monotonic()
        at_limit = self._at_limit(runs)
        return [
            (job, self._reason(job, at_limit, slots, now)) for job in self._jobs.in_state("queued")
        ]

    def _reason(self, job: Job, at_limit: Collection[str], slots: int, now: float) -> str:
        if not self.hold.is_open:
            return "the queue is held"
        if self._backoff.is_delayed(job.id, now):
            return "its worker died; it rests before it starts again"
        if slots == 0:
            return "no worker is there"
        if job.view.owner in at_limit:
            return f"all that {job.view.owner} may have at once is in use"
        return "a free worker"

    def _directive_for(self, run: ActiveRun, now: float) -> Directive:
        job = self._jobs.get(run.job.id)
        if job.cancel_requested:
            return Directive.CANCEL
        if job.pause_requested:
            return Directive.PAUSE
        if job.finish_requested:
            return Directive.FINISH
        preempt_at = self._preempt_at.get(run.job.id)
        is_due = preempt_at is not None and now >= preempt_at
        return Directive.YIELD if is_due else Directive.RUN

    def _choose_preempted(self, runs: Collection[ActiveRun]) -> dict[str, float]:
        """Return the running job to preempt for each more urgent queued one, and when.

        Nothing is preempted while the queue is held. A job whose artist is at the GPU limit
        preempts only that artist's own runs.
        """
        chosen: dict[str, float] = {}
        if not self.hold.is_open or not runs:
            return chosen
        at_limit = self._at_limit(runs)
        for job in self._ready(len(runs)):
            moments = [
                (run.told is not Directive.YIELD, at, run.job.id)
                for run in runs
                if run.job.id not in chosen
                and (job.view.owner not in at_limit or run.job.view.owner == job.view.owner)
                and (at := self._preemption.preempt_at(run.job, [job])) is not None
            ]
            if moments:
                _, at, run_id = min(moments)
                chosen[run_id] = at
            elif len(chosen) == len(runs):
                break
        return chosen

    def _at_limit(self, runs: Collection[ActiveRun]) -> set[str]:
        """Return the artists whose jobs use all the GPUs they may use at once."""
        busy = Counter(run.job.view.owner for run in runs)
        return {owner for owner, gpus in busy.items() if 0 < self._gpus_of(owner) <= gpus}

    def _ready(self, each: int) -> list[Job]:
        """Return the next `each` queued jobs of each artist and priority without a retry delay, and
        those that were preempted: no other can be next, however long the queue is.
        """
        delayed = self._backoff.delayed(time.monotonic())
        return self._jobs.heads(each, first=self._preemption.begun, without=delayed)
