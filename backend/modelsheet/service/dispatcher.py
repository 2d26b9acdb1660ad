"""One thread that gives jobs to the executor, one at a time, and writes what becomes of them into
the ledger.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelsheet.errors import Conflict
from modelsheet.execution import Directive
from modelsheet.service.backoff import BackOff
from modelsheet.service.database import is_damage
from modelsheet.service.executors.port import (
    Advanced,
    Assignment,
    Executor,
    Lost,
    Report,
    Silent,
    Sink,
)
from modelsheet.service.gate import Gate
from modelsheet.service.ledger import Ledger, StaleReport
from modelsheet.service.outcomes import Outcomes
from modelsheet.service.publication import Publisher
from modelsheet.service.reserve import Reserve
from modelsheet.service.steering import Run, Steering
from modelsheet.service.turns import Turns

_log = logging.getLogger(__name__)
_RETRY_S = 2.0  # after the ledger's disk refused a write


@dataclass(frozen=True)
class Timings:
    """Patience in seconds."""

    cancel_grace_s: float = 10.0  # from CANCEL to the kill
    shutdown_grace_s: float = 10.0  # for the last checkpoint when the service stops
    quiet_s: float = 30.0  # without a heartbeat, then the job is shown as stalled
    stall_s: float = 120.0  # without a heartbeat, then the worker is killed
    hang_s: float = 1800.0  # without progress, though the heart beats: a GPU that hangs
    backoff_s: Sequence[float] = (1.0, 2.0, 5.0, 10.0, 30.0)  # rests after a worker's deaths
    quantum_s: float = (
        20.0  # learning runs at most this long before the next urgent job may interrupt
    )
    burst_s: float = 60.0  # urgent jobs on end keep learning waiting at most about this long
    save_interval_s: float = 1.0  # between writes of a job's progress


class Dispatcher:
    """`on_published` hears of each new subject; `on_death` is called if the thread ends without
    being stopped.
    """

    def __init__(
        self,
        ledger: Ledger,
        publisher: Publisher,
        make_executor: Callable[[Sink], Executor],
        *,
        timings: Timings,
        gate: Gate,
        reserve: Reserve,
        on_published: Callable[[], None],
        on_death: Callable[[], None],
    ) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._gate = gate
        self._reserve = reserve
        self._timings = timings
        self._outcomes = Outcomes(ledger, publisher, on_published)
        self._on_death = on_death
        self._inbox: queue.SimpleQueue[Report | None] = queue.SimpleQueue()
        self._executor = make_executor(self._inbox.put)
        self._turns = Turns(timings.quantum_s, timings.burst_s)
        self._backoff = BackOff(timings.backoff_s)
        grace_s = timings.cancel_grace_s
        self._steering = Steering(ledger, self._turns, gate, self._backoff, grace_s)
        self._run: Run | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Put in order what the last run of the service left, then begin."""
        self._publisher.recover()
        self._thread.start()

    def wake(self) -> None:
        """Look at the ledger again: something was submitted or asked for."""
        self._inbox.put(None)

    def stop(self) -> None:
        """Let the running job save a checkpoint, end the executor and the thread; the job stays in
        the ledger.
        """
        self._stopping.set()
        self.wake()
        self._thread.join(self._timings.shutdown_grace_s + 10.0)

    def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                self._insist(self._turn)
            self._wind_up()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _log.critical("The ledger is damaged (%s)", error)
        finally:
            self._executor.close()
            if not self._stopping.is_set():
                _log.critical("The dispatcher ended; the service stops")
                self._on_death()

    def _turn(self) -> None:
        seen_at = time.monotonic()
        self._give_out()
        if self._run is not None:
            self._steering.steer(self._run, self._executor)
        report = self._next_report(seen_at)
        if report is not None:
            self._insist(lambda: self._take(report))

    def _insist(self, act: Callable[[], None]) -> None:
        """Do it until the disk takes it: a full disk must not end the dispatcher, nor lose a
        report.
        """
        while True:
            try:
                return act()
            except (sqlite3.OperationalError, OSError) as error:
                _log.error("The data folder's disk refuses: %s", error)
                if self._reserve.release():
                    continue
                self._say_full()
                if self._stopping.wait(_RETRY_S):
                    return None

    def _say_full(self) -> None:
        """Tell of the running job what cannot even be written down."""
        run = self._run
        if run is not None:
            with contextlib.suppress(StaleReport):
                self._ledger.note_phase(run.job.id, run.job.fence, "the disk is full: free space")

    def _next_report(self, seen_at: float) -> Report | None:
        try:
            return self._inbox.get(timeout=self._steering.patience_s(self._run, seen_at))
        except queue.Empty:
            return None

    def _give_out(self) -> None:
        """Start the next job if none runs."""
        while self._run is None:
            job = self._steering.next()
            if job is None:
                return self._gate.nothing_runs()
            self._reserve.fill()
            checkpoints, staging = self._publisher.prepare(job)
            try:
                job = self._ledger.start(job.id)
            except Conflict:  # cancelled or paused a moment ago
                self._publisher.clean_up(job.id, staging)
                continue
            self._run = Run(job, staging, time.monotonic())
            self._turns.started(job, self._run.started)
            self._hand_over(self._run, checkpoints)
        return None

    def _hand_over(self, run: Run, checkpoints: Path) -> None:
        assignment = Assignment(
            job_id=run.job.id,
            fence=run.job.fence,
            owner=run.job.view.owner,
            request=run.job.request,
            checkpoint_dir=str(checkpoints),
            staging_dir=str(run.staging),
        )
        try:
            self._executor.start(assignment)
        except OSError as error:  # no process to be had
            reason = f"it could not be started: {error.strerror}"
            self._inbox.put(Lost(job_id=run.job.id, fence=run.job.fence, reason=reason))

    def _take(self, report: Report) -> None:
        run = self._run
        if run is None or (report.job_id, report.fence) != (run.job.id, run.job.fence):
            _log.info("A late report of job %s, fence %s is dropped", report.job_id, report.fence)
            return
        try:
            self._outcomes.record(run.job, run.staging, report)
        except StaleReport as stale:
            _log.info("A report is dropped: %s", stale)
        if isinstance(report, Lost):
            self._backoff.lost(run.job.id, run.job.view.attempt, time.monotonic())
        if not isinstance(report, Advanced | Silent):
            self._close_run(run)

    def _close_run(self, run: Run) -> None:
        waiting = any(job.view.kind == "learn" for job in self._ledger.in_state("queued"))
        self._turns.ended(run.job, time.monotonic() - run.started, waiting)
        self._publisher.clean_up(run.job.id, run.staging)
        self._run = None

    def _wind_up(self) -> None:
        """Ask the running job for a checkpoint and wait for it, but not for long."""
        deadline = time.monotonic() + self._timings.shutdown_grace_s
        if self._run is not None:
            self._executor.tell(Directive.YIELD)
        while self._run is not None and (left := deadline - time.monotonic()) > 0:
            try:
                report = self._inbox.get(timeout=left)
            except queue.Empty:
                return
            if report is not None:
                self._take(report)
