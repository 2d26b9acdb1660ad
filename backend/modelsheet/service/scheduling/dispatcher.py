"""One thread that gives jobs to the executor, as many as it takes, and writes what becomes of them
into the ledger.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.admin import WorkloadView
from modelsheet.api.jobs import TERMINAL_STATES
from modelsheet.errors import Conflict
from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.protocol import (
    Advanced,
    Assignment,
    Executor,
    Lost,
    Report,
    Room,
    Silent,
    Sink,
)
from modelsheet.service.queue.database import is_damage
from modelsheet.service.queue.hold import Gate
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import Ledger, StaleReport
from modelsheet.service.queue.publication import Publisher
from modelsheet.service.scheduling.backoff import BackOff
from modelsheet.service.scheduling.outcomes import Outcomes, as_loss
from modelsheet.service.scheduling.overview import overview
from modelsheet.service.scheduling.preemption import Turns
from modelsheet.service.scheduling.scheduler import Run, Steering
from modelsheet.service.storage.disk_reserve import Reserve

_log = logging.getLogger(__name__)
_MOST_AT_ONCE = 200  # reports between two looks at the queue
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
        gpus_of: Callable[[str], int] = lambda owner: 0,
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
        self._steering = Steering(
            ledger, self._turns, gate, self._backoff, grace_s, gpus_of, self._executor.warmth
        )
        self._runs: dict[str, Run] = {}  # by job
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Put in order what the last run of the service left, then begin."""
        running = {(job.id, job.fence) for job in self._ledger.in_state("running")}
        going_on = self._executor.resume(running)
        self._publisher.recover(going_on)
        self._take_up(going_on)
        self._thread.start()

    def studio(self) -> WorkloadView:
        """Return who works at what, and who waits for what."""
        runs = list(self._runs.values())
        waiting = self._steering.waiting(runs, self._executor.slots)
        return overview(self._executor.workers(), runs, waiting, self._turns.used_s)

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

    def _take_up(self, going_on: Collection[str]) -> None:
        """Follow the attempts that an earlier service left running."""
        running = {job.id: job for job in self._ledger.in_state("running")}
        for job_id in going_on:
            if job_id in running:
                checkpoints, staging = self._publisher.prepare(running[job_id])
                self._note_start(Run(running[job_id], staging, time.monotonic()))
                self._hand_over(_assignment(running[job_id], checkpoints, staging))
            else:
                self._executor.kill(job_id)  # it was published already

    def _turn(self) -> None:
        seen_at = time.monotonic()
        self._give_out()
        self._steering.steer(self._runs.values(), self._executor)
        for report in self._next_reports(seen_at):
            self._insist(functools.partial(self._take, report))

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
        """Tell of the running jobs what cannot even be written down."""
        for run in self._runs.values():
            with contextlib.suppress(StaleReport):
                self._ledger.note_phase(run.job.id, run.job.fence, "the disk is full: free space")

    def _next_reports(self, seen_at: float) -> list[Report]:
        """Wait for a report and return it with those that came meanwhile: with many workers the
        queue need not be looked at after each.
        """
        reports: list[Report | None] = []
        with contextlib.suppress(queue.Empty):
            reports.append(
                self._inbox.get(timeout=self._steering.patience_s(self._runs.values(), seen_at))
            )
            while len(reports) < _MOST_AT_ONCE:
                reports.append(self._inbox.get_nowait())
        return [report for report in reports if report is not None]

    def _give_out(self) -> None:
        """Start jobs while there is room for them."""
        while len(self._runs) < self._executor.slots:
            job = self._steering.next(self._runs.values())
            if job is None:
                break
            self._reserve.fill()
            checkpoints, staging = self._publisher.prepare(job)
            try:
                job = self._ledger.start(job.id)
            except Conflict:  # cancelled or paused a moment ago
                self._publisher.clean_up(job.id, staging)
                continue
            self._note_start(Run(job, staging, time.monotonic()))
            self._hand_over(_assignment(job, checkpoints, staging))
        if not self._runs:
            self._gate.nothing_runs()

    def _note_start(self, run: Run) -> None:
        self._runs[run.job.id] = run
        self._turns.started(run.job, run.started)

    def _hand_over(self, assignment: Assignment) -> None:
        try:
            self._executor.start(assignment)
        except OSError as error:  # no process to be had
            reason = f"it could not be started: {error.strerror}"
            lost = Lost(job_id=assignment.job_id, fence=assignment.fence, reason=reason)
            self._inbox.put(lost)

    def _take(self, report: Report) -> None:
        if isinstance(report, Room):
            return  # the next turn looks how many there are
        report = as_loss(report)
        run = self._runs.get(report.job_id)
        if run is None or report.fence != run.job.fence:
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
        if self._ledger.get(run.job.id).view.state in TERMINAL_STATES:
            self._turns.forget(run.job.id)
        del self._runs[run.job.id]

    def _wind_up(self) -> None:
        """Ask the running jobs for a checkpoint and wait for it, but not for long."""
        deadline = time.monotonic() + self._timings.shutdown_grace_s
        for job_id in self._runs:
            self._executor.tell(job_id, Directive.YIELD)
        while self._runs and (left := deadline - time.monotonic()) > 0:
            try:
                report = self._inbox.get(timeout=left)
            except queue.Empty:
                return
            if report is not None:
                self._take(report)


def _assignment(job: Job, checkpoints: Path, staging: Path) -> Assignment:
    return Assignment(
        job_id=job.id,
        fence=job.fence,
        owner=job.view.owner,
        request=job.request,
        checkpoint_dir=str(checkpoints),
        staging_dir=str(staging),
    )
