"""The executor that keeps one worker process: spawned when a job comes, watched, replaced when it
dies.

The worker is a fresh interpreter rather than a fork or a multiprocessing child: it never imports
the parent's __main__, however the service was started, and its environment is right before its
first import.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Collection
from pathlib import Path

from pydantic import ValidationError

from modelsheet.api.admin import WorkerView
from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.environment import OFFLINE
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.protocol import (
    MESSAGE,
    ORDER,
    Advanced,
    Assignment,
    Beat,
    Lost,
    Silent,
    Sink,
    Told,
)
from modelsheet.service.executors.watchdog import Patience, Vitals
from modelsheet.service.executors.worker_log import WorkerLog
from modelsheet.service.queue.job import Job

_log = logging.getLogger(__name__)


class ProcessExecutor:
    """Runs each assignment in the worker process made by `factory` ("package.module:attribute")."""

    slots = 1

    def __init__(
        self,
        data_dir: Path,
        factory: str,
        log_file: Path,
        sink: Sink,
        patience: Patience | None = None,
    ) -> None:
        self._data_dir = data_dir
        self._factory = factory
        self._log = WorkerLog(log_file)
        self._sink = sink
        self._patience = patience or Patience()
        self._worker: _Worker | None = None

    def start(self, assignment: Assignment) -> None:
        if self._worker is None or not self._worker.take(assignment):
            process = spawn(self._data_dir, self._factory)
            self._worker = _Worker(process, self._sink, self._patience, self._log)
            if not self._worker.take(assignment):
                reason = "it died before it was given the job"
                lost = Lost(job_id=assignment.job_id, fence=assignment.fence, reason=reason)
                self._sink(lost)

    def resume(self, attempts: Collection[tuple[str, int]]) -> Collection[str]:
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
    """Start a worker whose standard input and output are the channel, and whose errors are for
    the log.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    module = "modelsheet.service.executors.worker_process"
    return subprocess.Popen(
        [sys.executable, "-m", module, str(os.getpid()), str(data_dir), factory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=data_dir,  # `-m` looks for modules in the working folder first: it must be ours
        env={**os.environ, **OFFLINE, "PYTHONPATH": path},
        start_new_session=True,  # Ctrl-C is for the service, which ends the worker in order
        umask=0o077 if os.name == "posix" else -1,
    )


class _Worker:
    """One process and the attempt it carries. Its reader ends when the process does."""

    def __init__(
        self, process: subprocess.Popen[bytes], sink: Sink, patience: Patience, log: WorkerLog
    ) -> None:
        assert process.stderr is not None
        self.process = process
        self._sink = sink
        self._vitals = Vitals(patience)
        self._words = log.follow(process.stderr)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._assignment: Assignment | None = None
        self._is_dead = False
        self._ended = threading.Event()
        self._is_quiet = False
        self._why = ""
        self._reader = threading.Thread(target=self._read, name="worker-reader", daemon=True)
        self._watch = threading.Thread(target=self._watch_beat, name="worker-watch", daemon=True)
        self._reader.start()
        self._watch.start()

    def take(self, assignment: Assignment) -> bool:
        """Pass on an assignment; False when the process is dead. If it dies later, the sink hears
        Lost.
        """
        with self._lock:
            if self._is_dead:
                return False
            self._assignment = assignment
        self._vitals.move()
        self._send(assignment)
        return True

    @property
    def job_id(self) -> str:
        """The job it carries out; empty if it has none."""
        with self._lock:
            return "" if self._assignment is None else self._assignment.job_id

    def tell(self, job_id: str, directive: Directive) -> None:
        with self._lock:
            assignment = self._assignment
        if assignment is not None and assignment.job_id == job_id:
            self._send(Told(fence=assignment.fence, directive=directive))

    def close(self) -> None:
        with self._lock:
            self._assignment = None
        self.process.kill()
        self._reader.join(timeout=5.0)
        self._watch.join(timeout=5.0)

    def _send(self, order: Assignment | Told) -> None:
        assert self.process.stdin is not None
        try:
            with self._writing:
                write_frame(self.process.stdin, ORDER.dump_json(order))
        except (OSError, ValueError) as error:  # closed at the other end or at ours
            _log.info("The worker does not listen any more: %s", type(error).__name__)

    def _read(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            while (frame := read_frame(self.process.stdout)) is not None:
                self._receive(frame)
        except ValidationError:
            self._end("it sent something that is no report")
        finally:
            code = self.process.wait()
            self._ended.set()
            self.process.stdout.close()
            self._bury(self._why or _cause(code, self._words.last_words()))
            with self._writing:
                _close_quietly(self.process)

    def _receive(self, frame: bytes) -> None:
        message = MESSAGE.validate_json(frame)
        self._vitals.beat()
        if isinstance(message, Beat):
            return
        self._vitals.move()
        if not isinstance(message, Advanced):
            with self._lock:
                self._assignment = None
        self._sink(message)

    def _bury(self, reason: str) -> None:
        with self._lock:
            self._is_dead = True
            assignment, self._assignment = self._assignment, None
        if assignment is not None:
            _log.warning("The worker died on job %s: %s", assignment.job_id, reason)
            self._sink(Lost(job_id=assignment.job_id, fence=assignment.fence, reason=reason))

    def _watch_beat(self) -> None:
        while not self._ended.wait(self._vitals.check_interval_s):
            self._vitals.check()
            self._tell_quiet(self._vitals.is_quiet)
            if self.process.poll() is not None:
                # A child of the worker may still hold the pipe open, and the reader would wait for
                # it.
                self._bury(self._why or f"exit status {self.process.returncode}")
            elif self._assignment is None:
                self._vitals.move()  # nothing to do is no silence
            elif reason := self._vitals.reason_to_end:
                self._end(reason)

    def _tell_quiet(self, is_quiet: bool) -> None:
        with self._lock:
            assignment = self._assignment
        if assignment is not None and is_quiet is not self._is_quiet:
            self._is_quiet = is_quiet
            self._sink(Silent(job_id=assignment.job_id, fence=assignment.fence, is_silent=is_quiet))

    def _end(self, reason: str) -> None:
        self._why = reason
        self.process.kill()


def _cause(status: int, last_words: str) -> str:
    return f"exit status {status}" + (f", {last_words}" if last_words else "")


def _close_quietly(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    try:
        process.stdin.close()
    except OSError:  # unsent bytes for a process that is gone
        _log.debug("The worker left unread orders behind")
