"""Run jobs in one worker process: spawned for the first job or before, watched, replaced when it
dies.

The worker is a fresh interpreter rather than a fork or a multiprocessing child: it never imports
the parent's __main__, however the service was started, and its environment is set before its first
import.
"""

from __future__ import annotations

import logging
import math
import os
import subprocess
import threading
import time
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from modelsheet.api.admin import WorkerView
from modelsheet.jobs.protocol import Directive
from modelsheet.module_process import module_command, search_path
from modelsheet.operating_system import process_options
from modelsheet.service.executors.environment import worker_environment
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.protocol import (
    WORKER_COMMAND,
    WORKER_MESSAGE,
    Heartbeat,
    JobRun,
    Lost,
    Progressed,
    ReportHandler,
    SetDirective,
    Stalled,
)
from modelsheet.service.executors.watchdog import Watchdog, WatchdogLimits
from modelsheet.service.executors.worker_log import WorkerLog
from modelsheet.service.queue.job import Job

_log = logging.getLogger(__name__)


class ProcessExecutor:
    """Run each job with the runner that `factory` ("package.module:attribute") makes in the
    worker.
    """

    slots = 1

    def __init__(
        self,
        data_dir: Path,
        factory: str,
        log_file: Path,
        on_report: ReportHandler,
        limits: WatchdogLimits | None = None,
        idle_s: float = 0.0,
    ) -> None:
        """`idle_s`: seconds without a job after which the worker ends, to free its memory; 0 for
        never.
        """
        self._data_dir = data_dir
        self._factory = factory
        self._log = WorkerLog(log_file)
        self._on_report = on_report
        self._limits = limits or WatchdogLimits()
        self._idle_s = idle_s
        self._worker: _Worker | None = None

    def prepare(self) -> None:
        if self._worker is None:
            self._worker = self._new_worker()

    def start(self, run: JobRun) -> None:
        if self._worker is None or not self._worker.start(run):
            self._worker = self._new_worker()
            if not self._worker.start(run):
                reason = "it died before it was given the job"
                self._on_report(Lost(job_id=run.job_id, fence=run.fence, reason=reason))

    def _new_worker(self) -> _Worker:
        process = spawn(self._data_dir, self._factory)
        return _Worker(process, self._on_report, self._limits, self._log, self._idle_s)

    def resume(self, runs: Collection[tuple[str, int]]) -> Collection[str]:
        return ()  # the worker ends with its service

    def tell(self, job_id: str, directive: Directive) -> None:
        if self._worker is not None:
            self._worker.tell(job_id, directive)

    def kill(self, job_id: str) -> None:
        if self._worker is not None and self._worker.job_id == job_id:
            self._worker.process.kill()

    def warmth(self, job: Job) -> int:
        return 0  # there is no choice of workers

    def workers(self) -> list[WorkerView]:
        job_id = "" if self._worker is None else self._worker.job_id
        return [WorkerView(name="worker", job_id=job_id)]

    def close(self) -> None:
        if self._worker is not None:
            self._worker.close()
        self._log.close()


def spawn(data_dir: Path, factory: str) -> subprocess.Popen[bytes]:
    """Start a worker whose standard input and output are the pipe, and whose errors are for the
    log.
    """
    module = "modelsheet.service.executors.worker_main"
    return subprocess.Popen(
        module_command(module, str(os.getpid()), str(data_dir), factory),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=data_dir,
        env={**worker_environment(os.environ), **search_path()},
        **process_options(),  # Ctrl-C goes to the service, which ends the worker in order
    )


class _Worker:
    """One process and its current run. The reader thread ends with the process."""

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        on_report: ReportHandler,
        limits: WatchdogLimits,
        log: WorkerLog,
        idle_s: float,
    ) -> None:
        assert process.stderr is not None
        self.process = process
        self._on_report = on_report
        self._watchdog = Watchdog(limits)
        self._stderr = log.follow(process.stderr)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._run: JobRun | None = None
        self._idle_s = idle_s or math.inf
        self._used_at = time.monotonic()
        self._is_dead = False
        self._ended = threading.Event()
        self._is_stalled = False
        self._kill_reason = ""
        self._reader = threading.Thread(target=self._read, name="worker-reader", daemon=True)
        self._watcher = threading.Thread(target=self._watch, name="worker-watch", daemon=True)
        self._reader.start()
        self._watcher.start()

    def start(self, run: JobRun) -> bool:
        """Start a run; return False if the process is dead. If it dies later, Lost is reported."""
        with self._lock:
            if self._is_dead:
                return False
            self._run = run
        self._watchdog.progress()
        self._send(run)
        return True

    @property
    def job_id(self) -> str:
        """Return the id of the current job, empty if there is none."""
        with self._lock:
            return "" if self._run is None else self._run.job_id

    def tell(self, job_id: str, directive: Directive) -> None:
        with self._lock:
            run = self._run
        if run is not None and run.job_id == job_id:
            self._send(SetDirective(job_id=job_id, fence=run.fence, directive=directive))

    def close(self) -> None:
        with self._lock:
            self._run = None
        self.process.kill()
        self._reader.join(timeout=5.0)
        self._watcher.join(timeout=5.0)

    def _send(self, command: JobRun | SetDirective) -> None:
        assert self.process.stdin is not None
        try:
            with self._writing:
                write_frame(self.process.stdin, WORKER_COMMAND.dump_json(command))
        except (OSError, ValueError) as error:  # closed at either end
            _log.info("The worker does not listen any more: %s", type(error).__name__)

    def _read(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            while (frame := read_frame(self.process.stdout)) is not None:
                self._receive(frame)
        except ValidationError:
            self._kill("it sent something that is no report")
        finally:
            code = self.process.wait()
            self._ended.set()
            self.process.stdout.close()
            self._report_death(self._kill_reason or _cause(code, self._stderr.last_error()))
            with self._writing:
                _close_quietly(self.process)

    def _receive(self, frame: bytes) -> None:
        message = WORKER_MESSAGE.validate_json(frame)
        self._watchdog.heartbeat()
        if isinstance(message, Heartbeat):
            return
        self._watchdog.progress()
        if not isinstance(message, Progressed):
            with self._lock:
                self._run, self._used_at = None, time.monotonic()
        self._on_report(message)

    def _report_death(self, reason: str) -> None:
        with self._lock:
            self._is_dead = True
            run, self._run = self._run, None
        if run is not None:
            _log.warning("The worker died on job %s: %s", run.job_id, reason)
            self._on_report(Lost(job_id=run.job_id, fence=run.fence, reason=reason))

    def _watch(self) -> None:
        while not self._ended.wait(self._watchdog.check_interval_s):
            self._watchdog.check()
            self._report_stall(self._watchdog.is_stalled)
            if self.process.poll() is not None:
                # A child of the worker may hold the pipe open, for which the reader would wait.
                self._report_death(self._kill_reason or f"exit status {self.process.returncode}")
            elif self._run is None:
                self._watchdog.progress()  # an idle worker is not stalled
                self._end_if_idle()
            elif reason := self._watchdog.reason_to_end:
                self._kill(reason)

    def _end_if_idle(self) -> None:
        with self._lock:
            if self._run is not None or time.monotonic() - self._used_at < self._idle_s:
                return
            self._is_dead = True  # the next job gets a new process
        _log.info("The worker had no job for %.0f s: it ends", self._idle_s)
        self.process.kill()

    def _report_stall(self, is_stalled: bool) -> None:
        with self._lock:
            run = self._run
        if run is not None and is_stalled is not self._is_stalled:
            self._is_stalled = is_stalled
            self._on_report(Stalled(job_id=run.job_id, fence=run.fence, is_stalled=is_stalled))

    def _kill(self, reason: str) -> None:
        self._kill_reason = reason
        self.process.kill()


def _cause(status: int, last_error: str) -> str:
    return f"exit status {status}" + (f", {last_error}" if last_error else "")


def _close_quietly(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
    except OSError:  # unsent bytes for a process that has ended
        _log.debug("The worker left commands unread")
