"""What the running attempt must be told, and when somebody has to look again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from modelsheet.execution import Directive
from modelsheet.service.backoff import BackOff
from modelsheet.service.executors.port import Executor
from modelsheet.service.gate import Gate
from modelsheet.service.job import Job
from modelsheet.service.ledger import Ledger
from modelsheet.service.turns import Turns


@dataclass
class Run:
    """The attempt under way. Times are of the monotonic clock."""

    job: Job
    staging: Path
    started: float
    told: Directive = Directive.RUN
    kill_at: float | None = None


class Steering:
    """Decides which job is next and what the running one is told."""

    def __init__(
        self, ledger: Ledger, turns: Turns, gate: Gate, backoff: BackOff, cancel_grace_s: float
    ) -> None:
        self._ledger = ledger
        self._turns = turns
        self._gate = gate
        self._backoff = backoff
        self._cancel_grace_s = cancel_grace_s

    def next(self) -> Job | None:
        """Return the job to start now, if any may be started."""
        return self._turns.next(self._ready()) if self._gate.is_open else None

    def steer(self, run: Run, executor: Executor) -> None:
        """Tell the running job what it must know, once, and kill it when it does not listen."""
        now = time.monotonic()
        if run.kill_at is not None and now >= run.kill_at:
            run.kill_at = now + self._cancel_grace_s
            executor.kill()
        wanted = self._directive_for(run, now)
        if wanted is not run.told and run.told is not Directive.CANCEL:
            run.told = wanted
            executor.tell(wanted)
            if wanted is Directive.CANCEL:
                run.kill_at = now + self._cancel_grace_s

    def patience_s(self, run: Run | None, seen_at: float) -> float | None:
        """Return how long nothing needs to be looked at; the queue was last seen at `seen_at` or
        later.
        """
        moments = [self._backoff.next_end(seen_at)]
        if run is not None:
            moments.append(run.kill_at)
            if run.told is Directive.RUN:
                moments.append(self._interrupts_at(run))
        due = [moment for moment in moments if moment is not None]
        return max(0.0, min(due) - time.monotonic()) if due else None

    def _directive_for(self, run: Run, now: float) -> Directive:
        job = self._ledger.get(run.job.id)
        if job.cancel_requested:
            return Directive.CANCEL
        if job.pause_requested:
            return Directive.PAUSE
        if job.finish_requested:
            return Directive.FINISH
        interrupts_at = self._interrupts_at(run)
        is_due = interrupts_at is not None and now >= interrupts_at
        return Directive.YIELD if is_due else Directive.RUN

    def _interrupts_at(self, run: Run) -> float | None:
        """A closed gate would not let in what the running job steps aside for."""
        return self._turns.interrupts_at(run.job, self._ready()) if self._gate.is_open else None

    def _ready(self) -> list[Job]:
        now = time.monotonic()
        queued = self._ledger.in_state("queued")
        return [job for job in queued if not self._backoff.rests(job.id, now)]
