"""What the running attempts must be told, and when somebody has to look again."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.protocol import Executor
from modelsheet.service.queue.hold import Gate
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import Ledger
from modelsheet.service.scheduling.backoff import BackOff
from modelsheet.service.scheduling.preemption import Turns


@dataclass
class Run:
    """An attempt under way. Times are of the monotonic clock."""

    job: Job
    staging: Path
    started: float
    told: Directive = Directive.RUN
    kill_at: float | None = None


class Steering:
    """Decides which job is next and what the running ones are told. `gpus_of` says how many jobs
    of an artist may run at once, 0 for as many as there is room for; `warmth`, how much of what a
    job needs a free worker has in memory.
    """

    def __init__(
        self,
        ledger: Ledger,
        turns: Turns,
        gate: Gate,
        backoff: BackOff,
        cancel_grace_s: float,
        gpus_of: Callable[[str], int],
        warmth: Callable[[Job], int],
    ) -> None:
        self._ledger = ledger
        self._turns = turns
        self._gate = gate
        self._backoff = backoff
        self._cancel_grace_s = cancel_grace_s
        self._gpus_of = gpus_of
        self._warmth = warmth
        self._interrupts: dict[str, float] = {}  # when which jobs shall step aside

    def next(self, runs: Collection[Run]) -> Job | None:
        """Return the job to start now, if any may be started."""
        if not self._gate.is_open:
            return None
        full = self._full(runs)
        ready = [job for job in self._ready() if job.view.owner not in full]
        return self._turns.next(ready, self._warmth)

    def steer(self, runs: Collection[Run], executor: Executor) -> None:
        """Tell each running job what it must know, once, and kill it when it does not listen."""
        now = time.monotonic()
        self._interrupts = self._interruptions(runs)
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

    def patience_s(self, runs: Collection[Run], seen_at: float) -> float | None:
        """Return how long nothing needs to be looked at; the queue was last seen at `seen_at` or
        later.
        """
        moments = [self._backoff.next_end(seen_at)]
        for run in runs:
            moments.append(run.kill_at)
            if run.told is Directive.RUN:
                moments.append(self._interrupts.get(run.job.id))
        due = [moment for moment in moments if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def waiting(self, runs: Collection[Run], slots: int) -> list[tuple[Job, str]]:
        """Return the jobs that wait, in order, and for what."""
        now = time.monotonic()
        full = self._full(runs)
        return [
            (job, self._reason(job, full, slots, now)) for job in self._ledger.in_state("queued")
        ]

    def _reason(self, job: Job, full: Collection[str], slots: int, now: float) -> str:
        if not self._gate.is_open:
            return "the queue is held"
        if self._backoff.rests(job.id, now):
            return "its worker died; it rests before it starts again"
        if slots == 0:
            return "no worker is there"
        if job.view.owner in full:
            return f"all that {job.view.owner} may have at once is in use"
        return "a free worker"

    def _directive_for(self, run: Run, now: float) -> Directive:
        job = self._ledger.get(run.job.id)
        if job.cancel_requested:
            return Directive.CANCEL
        if job.pause_requested:
            return Directive.PAUSE
        if job.finish_requested:
            return Directive.FINISH
        interrupts_at = self._interrupts.get(run.job.id)
        is_due = interrupts_at is not None and now >= interrupts_at
        return Directive.YIELD if is_due else Directive.RUN

    def _interruptions(self, runs: Collection[Run]) -> dict[str, float]:
        """Choose a running job for each more urgent one that waits, and say when it steps aside.

        A closed gate would not let in what it steps aside for. Whoever has all the GPUs they may
        have gets no other's.
        """
        chosen: dict[str, float] = {}
        if not self._gate.is_open:
            return chosen
        full = self._full(runs)
        for job in self._ready():
            moments = [
                (run.told is not Directive.YIELD, at, run.job.id)
                for run in runs
                if run.job.id not in chosen
                and (job.view.owner not in full or run.job.view.owner == job.view.owner)
                and (at := self._turns.interrupts_at(run.job, [job])) is not None
            ]
            if moments:
                _, at, run_id = min(moments)
                chosen[run_id] = at
            elif len(chosen) == len(runs):
                break
        return chosen

    def _full(self, runs: Collection[Run]) -> set[str]:
        """Return the artists who have all the GPUs they may have."""
        busy = Counter(run.job.view.owner for run in runs)
        return {owner for owner, gpus in busy.items() if 0 < self._gpus_of(owner) <= gpus}

    def _ready(self) -> list[Job]:
        now = time.monotonic()
        queued = self._ledger.in_state("queued")
        return [job for job in queued if not self._backoff.rests(job.id, now)]
