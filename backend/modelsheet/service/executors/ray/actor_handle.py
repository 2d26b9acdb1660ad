"""The driver's handle of one actor. A thread polls the actor for reports; when the actor is lost,
Ray starts it anew and the handle waits for it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import modelsheet
from modelsheet.api.admin import WorkerView
from modelsheet.api.jobs import JobError
from modelsheet.errors import is_disk_full
from modelsheet.jobs.protocol import Directive, LoadedModels
from modelsheet.service.executors.protocol import (
    DISK_FULL,
    Failed,
    JobReport,
    JobRun,
    Lost,
    Progressed,
    Stalled,
)
from modelsheet.service.executors.ray.job_files import Files, JobFiles, keep_only, write_files
from modelsheet.service.executors.ray.messages import (
    FROM_ACTOR,
    ActorState,
    CheckpointSaved,
    FromActor,
)
from modelsheet.service.executors.watchdog import Watchdog, WatchdogLimits
from modelsheet.service.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
_POLL_WAIT_S = 1.0
_RETRY_S = 0.5  # before a lost actor is called again
_LONGEST_REASON = 200  # characters


class ActorHandle:
    """One actor and its current run. `make_actor` returns the actor of this name, a new one if
    there is none. `on_report` gets the reports of its runs; `on_change` is called when the actor
    becomes busy, free, lost or ready.
    """

    def __init__(
        self,
        name: str,
        ray: Any,
        make_actor: Callable[[str], Any],
        data_dir: Path,
        limits: WatchdogLimits,
        on_report: Callable[[JobReport], None],
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self._ray = ray
        self._make_actor = make_actor
        self._blobs = BlobStore(data_dir / "blobs")
        self._on_report = on_report
        self._on_change = on_change
        self._watchdog = Watchdog(limits)
        self._lock = threading.Lock()
        self._run: JobRun | None = None
        self._is_stalled = False
        self._kill_reason = ""
        self._seen = 0  # the number of the newest outbox item we have
        self._starting: Any = None  # the result of start, until it was checked
        self._begun: Any = None  # the same result, for which directives wait
        self.state: ActorState | None = None  # None while the actor is not ready
        self.has_answered = threading.Event()
        self._closed = threading.Event()
        self._actor: Any = None
        self._thread = threading.Thread(target=self._poll_forever, name=name, daemon=True)
        self._thread.start()

    @property
    def is_free(self) -> bool:
        """Return True if a job may be started; an actor with an unfetched result is free too."""
        return self.state is not None and self._run is None and not self.state.is_busy

    @property
    def warm(self) -> LoadedModels:
        """Return the models that the actor has in memory; nothing while it is not ready."""
        state = self.state
        return (
            LoadedModels(state.base_model, tuple(state.adapters))
            if state is not None
            else LoadedModels()
        )

    @property
    def is_usable(self) -> bool:
        """Return True if the actor runs a job of this service, or could."""
        return self.state is not None and (self._run is not None or self.is_free)

    @property
    def job_id(self) -> str:
        """Return the id of the current job, empty if there is none."""
        with self._lock:
            return "" if self._run is None else self._run.job_id

    def view(self) -> WorkerView:
        """Return the actor as the API shows it."""
        state = self.state
        place = f"{self.name} on {state.node}" if state else self.name
        return WorkerView(
            name=place, job_id=self.job_id, base_model=state.base_model if state else ""
        )

    def follow(self, run: JobRun) -> None:
        """Follow a run that goes on in the actor, or whose result lies there."""
        with self._lock:
            self._run = run
            self._seen, self._starting, self._begun = 0, None, None
        self._watchdog.progress()

    def start(self, run: JobRun, job_files: JobFiles) -> bool:
        """Start a run; return False if the actor was lost meanwhile. If it is lost later, the
        report is Lost.
        """
        with self._lock:
            state = self.state
            if state is None:
                return False
            self._run = run
        self._watchdog.progress()
        known = set(state.subjects)
        subjects = {k: {} if k in known else files for k, files in job_files.subjects.items()}
        self._starting = self._begun = self._actor.start.remote(
            run.model_dump_json(), job_files.files, subjects
        )
        self._update_state(subjects=list(subjects))
        return True

    def tell(self, directive: Directive) -> None:
        """Pass a directive to the current run."""
        with self._lock:
            run = self._run
        if run is not None and self._actor is not None:
            which = (run.job_id, run.fence, directive.value)
            self._actor.tell.remote(*which, self._begun)  # Ray calls it when start has returned

    def kill(self, reason: str) -> None:
        """End the actor's process; Ray starts another."""
        self._kill_reason = reason
        if self._actor is not None:
            self._ray.kill(self._actor, no_restart=False)

    def close(self) -> None:
        """End the actor for good."""
        self._closed.set()
        if self._actor is not None:
            self._ray.kill(self._actor)

    def _poll_forever(self) -> None:
        while not self._closed.is_set():
            try:
                self._actor = self._make_actor(self.name)
                self._wait_until_ready()
                while not self._closed.is_set():
                    self._poll()
            except (self._ray.exceptions.RayError, ValueError) as error:
                self._report_loss(self._kill_reason or _first_line(error))
                self._closed.wait(_RETRY_S)

    def _wait_until_ready(self) -> None:
        """Wait until Ray has placed the actor and it answers. Raises ValueError: it is an actor of
        another version, which may lack even this method.
        """
        try:
            asked = self._actor.state.remote()
        except AttributeError:
            raise ValueError(
                "its actor is of another Modelsheet; end it, or install this version"
            ) from None
        state = ActorState.model_validate_json(self._wait_for(asked))
        self._kill_reason, self._seen = "", 0
        if state.version != modelsheet.__version__:
            raise ValueError(f"{state.node} has Modelsheet {state.version}; install this version")
        with self._lock:
            self.state = state
        self.has_answered.set()
        self._on_change()

    def _poll(self) -> None:
        started, self._starting = self._starting, None
        if started is not None:
            self._check_started(started)
        polled = self._actor.poll.remote(self._seen, _POLL_WAIT_S)
        base_model, adapters, items = self._wait_for(polled)
        self._watchdog.heartbeat()
        self._update_state(base_model=base_model, adapters=adapters)
        for number, message, files in items:
            self._receive(FROM_ACTOR.validate_json(message), files)
            self._seen = max(self._seen, number)

    def _check_started(self, started: Any) -> None:
        """Report the run as lost if the actor could not start it."""
        try:
            problem = "" if self._wait_for(started) else "it was still at another job"
        except self._ray.exceptions.RayTaskError as error:
            problem = str(error.cause)[:_LONGEST_REASON]
        with self._lock:
            run = self._run
        if problem and run is not None:
            self._free()
            which = {"job_id": run.job_id, "fence": run.fence}
            self._on_report(Lost.model_validate({**which, "reason": problem}))

    def _wait_for(self, reference: Any) -> Any:
        """Return the result of a call. Raises RayError: the actor is lost, or was killed as
        stalled.
        """
        while not self._ray.wait([reference], timeout=self._watchdog.check_interval_s)[0]:
            self._watchdog.check()
            self._report_stall(self._watchdog.is_stalled)
            if self._run is None or self._closed.is_set():
                self._watchdog.progress()
            elif not self._kill_reason and (reason := self._watchdog.reason_to_end):
                self.kill(reason)
        if self._run is None:
            self._watchdog.progress()
        elif not self._kill_reason and (reason := self._watchdog.reason_to_end):
            self.kill(reason)  # it answers, but its job makes no progress
        self._report_stall(self._watchdog.is_stalled)
        return self._ray.get(reference)

    def _receive(self, message: FromActor, files: Files) -> None:
        with self._lock:
            run = self._run
        which = (message.job_id, message.fence)
        if run is None or which != (run.job_id, run.fence):
            return  # of an earlier run
        self._watchdog.progress()
        try:
            self._unpack(message, files, run)
        except OSError as error:
            _log.error("What job %s sent cannot be written: %s", message.job_id, error)
            if isinstance(message, Progressed | CheckpointSaved):
                return
            is_full = is_disk_full(error)
            problem = DISK_FULL if is_full else _refused(error)
            message = Failed(job_id=message.job_id, fence=message.fence, error=problem)
        if isinstance(message, CheckpointSaved):
            return
        if not isinstance(message, Progressed):
            self._free()
        self._on_report(message)

    def _unpack(self, message: FromActor, files: Files, run: JobRun) -> None:
        if isinstance(message, CheckpointSaved):
            checkpoints = Path(run.checkpoint_dir)
            write_files(checkpoints, files)
            keep_only(checkpoints, message.names)
            return
        for name, content in files.items():
            folder, _, rest = name.partition("/")
            if folder == "blobs":
                self._blobs.put(rest, content)
            else:
                write_files(Path(run.staging_dir), {rest: content})

    def _free(self) -> None:
        with self._lock:
            self._run = None
        self._update_state(is_busy=False, run=None)
        self._on_change()

    def _update_state(self, **changes: object) -> None:
        """Update the known state of the actor."""
        with self._lock:
            if self.state is not None:
                self.state = self.state.model_copy(update=changes)

    def _report_loss(self, reason: str) -> None:
        with self._lock:
            run, self._run = self._run, None
            self.state = None
        self._on_change()
        if run is not None:
            _log.warning("%s was lost on job %s: %s", self.name, run.job_id, reason)
            self._on_report(Lost(job_id=run.job_id, fence=run.fence, reason=reason))

    def _report_stall(self, is_stalled: bool) -> None:
        with self._lock:
            run = self._run
        if run is not None and is_stalled is not self._is_stalled:
            self._is_stalled = is_stalled
            which = {"job_id": run.job_id, "fence": run.fence}
            self._on_report(Stalled.model_validate({**which, "is_stalled": is_stalled}))


def _first_line(error: Exception) -> str:
    """Return the first line of an error that is not empty; Ray's messages are long."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_LONGEST_REASON]


def _refused(error: OSError) -> JobError:
    sentence = f"The result could not be written to the data folder ({error.strerror})."
    return JobError(code="internal", sentence=sentence)
