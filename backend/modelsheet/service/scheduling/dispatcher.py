"""Give queued jobs to the executor, as many as it has slots, and record the reports of their runs,
on one thread.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Collection
from pathlib import Path

from modelsheet.api.admin import WorkloadView
from modelsheet.errors import Conflict
from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.protocol import (
    Executor,
    JobRun,
    Lost,
    Progressed,
    Report,
    ReportHandler,
    SlotsChanged,
    Stalled,
)
from modelsheet.service.queue.database import is_damage
from modelsheet.service.queue.job import Job
from modelsheet.service.queue.job_store import JobStore, StaleReport
from modelsheet.service.queue.publication import Publisher
from modelsheet.service.scheduling.report_recorder import ReportRecorder, crash_as_lost
from modelsheet.service.scheduling.scheduler import ActiveRun, Scheduler
from modelsheet.service.scheduling.timeouts import Timings
from modelsheet.service.scheduling.workload_overview import workload_view
from modelsheet.service.storage.ballast_file import BallastFile

_log = logging.getLogger(__name__)
_REPORTS_AT_ONCE = 200  # between two decisions of the scheduler
_RETRY_S = 2.0  # after the disk refused a write


class Dispatcher:
    """The thread and its runs. `on_death` is called if the thread ends without being stopped."""

    def __init__(
        self,
        jobs: JobStore,
        publisher: Publisher,
        scheduler: Scheduler,
        make_executor: Callable[[ReportHandler], Executor],
        timings: Timings,
        reserve: BallastFile,
        on_death: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._publisher = publisher
        self._scheduler = scheduler
        self._timings = timings
        self._reserve = reserve
        self._on_death = on_death
        self._recorder = ReportRecorder(jobs, publisher)
        self._inbox: queue.SimpleQueue[Report | None] = queue.SimpleQueue()  # None only wakes it
        self._executor = make_executor(self._inbox.put)
        self._runs: dict[str, ActiveRun] = {}  # by job
        self._is_expecting = self._has_prepared = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._main, name="dispatcher", daemon=True)

    def start(self) -> None:
        """Recover the jobs that ran when the service last ended, then start the thread."""
        running = {(job.id, job.fence) for job in self._jobs.table.in_state("running")}
        going_on = self._executor.resume(running)
        self._publisher.recover(going_on)
        self._adopt_running(going_on)
        self._thread.start()

    def workload(self) -> WorkloadView:
        """Return the overview of workers, queued jobs and artists."""
        runs = list(self._runs.values())
        waiting = self._scheduler.waiting(runs, self._executor.slots)
        return workload_view(self._executor.workers(), runs, waiting, self._scheduler.used_s)

    def wake(self) -> None:
        """Have the thread look at the queue again: a job was submitted or a command was given."""
        self._inbox.put(None)

    def expect_jobs(self) -> None:
        """Have a worker start before the first job comes; does nothing from the second call on."""
        if not self._is_expecting:
            self._is_expecting = True
            self.wake()

    def stop(self) -> None:
        """Let the running jobs save checkpoints, then end the executor and the thread. The jobs
        are recovered at the next start.
        """
        self._stopping.set()
        self.wake()
        self._thread.join(self._timings.shutdown_grace_s + 10.0)

    def _main(self) -> None:
        try:
            while not self._stopping.is_set():
                self._retry_on_disk_full(self._loop_once)
            self._shut_down()
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            _log.critical("The job database is damaged (%s)", error)
        finally:
            self._executor.close()
            if not self._stopping.is_set():
                _log.critical("The dispatcher ended; the service stops")
                self._on_death()

    def _adopt_running(self, going_on: Collection[str]) -> None:
        """Follow the runs that go on since an earlier service; kill those of published jobs."""
        running = {job.id: job for job in self._jobs.table.in_state("running")}
        for job_id in going_on:
            if job_id in running:
                self._start_run(running[job_id], *self._publisher.prepare(running[job_id]))
            else:
                self._executor.kill(job_id)

    def _loop_once(self) -> None:
        seen_at = time.monotonic()
        self._start_jobs()
        self._prepare_worker()
        self._scheduler.send_directives(self._runs.values(), self._executor)
        for report in self._next_reports(seen_at):
            self._retry_on_disk_full(functools.partial(self._handle_report, report))

    def _retry_on_disk_full(self, action: Callable[[], None]) -> None:
        """Repeat an action until the disk accepts its writes: a full disk must neither end the
        dispatcher nor lose a report.
        """
        while True:
            try:
                return action()
            except (sqlite3.OperationalError, OSError) as error:
                _log.error("The data folder's disk refuses: %s", error)
                if self._reserve.release():
                    continue
                self._report_disk_full()
                if self._stopping.wait(_RETRY_S):
                    return None

    def _report_disk_full(self) -> None:
        """Show the full disk as the phase of each running job; it is kept in memory only."""
        for active in self._runs.values():
            with contextlib.suppress(StaleReport):
                phase = "the disk is full: free space"
                self._jobs.note_phase(active.job.id, active.job.fence, phase)

    def _next_reports(self, seen_at: float) -> list[Report]:
        """Wait for a report and return it with those that came meanwhile: with many workers the
        scheduler need not decide after each.
        """
        reports: list[Report | None] = []
        with contextlib.suppress(queue.Empty):
            sleep_s = self._scheduler.sleep_s(self._runs.values(), seen_at)
            reports.append(self._inbox.get(timeout=sleep_s))
            while len(reports) < _REPORTS_AT_ONCE:
                reports.append(self._inbox.get_nowait())
        return [report for report in reports if report is not None]

    def _start_jobs(self) -> None:
        """Start queued jobs while the executor has free slots."""
        while len(self._runs) < self._executor.slots:
            job = self._scheduler.next_job(self._runs.values(), self._executor.warmth)
            if job is None:
                break
            self._reserve.fill()
            checkpoints, staging = self._publisher.prepare(job)
            try:
                job = self._jobs.start(job.id)
            except Conflict:  # cancelled or paused a moment ago
                self._publisher.clean_up(job.id, staging)
                continue
            self._start_run(job, checkpoints, staging)
        if not self._runs:
            self._scheduler.hold.note_idle()

    def _prepare_worker(self) -> None:
        if self._is_expecting and not self._has_prepared:
            self._has_prepared = True
            try:
                self._executor.prepare()
            except OSError as error:  # the first job will say so
                _log.warning("No worker could be started: %s", error.strerror)

    def _start_run(self, job: Job, checkpoints: Path, staging: Path) -> None:
        run = JobRun(
            job_id=job.id,
            fence=job.fence,
            owner=job.view.owner,
            request=job.request,
            checkpoint_dir=str(checkpoints),
            staging_dir=str(staging),
        )
        self._runs[job.id] = ActiveRun(job, run, time.monotonic())
        self._scheduler.run_started(self._runs[job.id])
        try:
            self._executor.start(run)
        except OSError as error:  # no process could be started
            reason = f"it could not be started: {error.strerror}"
            self._inbox.put(Lost(job_id=job.id, fence=job.fence, reason=reason))

    def _handle_report(self, report: Report) -> None:
        if isinstance(report, SlotsChanged):
            return  # the next loop reads the number of slots
        report = crash_as_lost(report)
        active = self._runs.get(report.job_id)
        if active is None or report.fence != active.job.fence:
            _log.info("A late report of job %s, fence %s is dropped", report.job_id, report.fence)
            return
        staging = Path(active.run.staging_dir)
        try:
            self._recorder.record(active.job, staging, report)
        except StaleReport as stale:
            _log.info("A report is dropped: %s", stale)
        if isinstance(report, Lost):
            self._scheduler.run_lost(active)
        if not isinstance(report, Progressed | Stalled):
            self._publisher.clean_up(report.job_id, staging)
            self._scheduler.run_ended(active)
            del self._runs[report.job_id]

    def _shut_down(self) -> None:
        """Ask the running jobs for a checkpoint and wait for it, at most the grace time."""
        deadline = time.monotonic() + self._timings.shutdown_grace_s
        for job_id in self._runs:
            self._executor.tell(job_id, Directive.YIELD)
        while self._runs and (left := deadline - time.monotonic()) > 0:
            try:
                report = self._inbox.get(timeout=left)
            except queue.Empty:
                return
            if report is not None:
                self._handle_report(report)
