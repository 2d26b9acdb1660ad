"""One actor as the driver sees it: a seat at a GPU, taken or free. A thread of its own asks it for
news; when the actor is lost, Ray starts it anew and the seat waits for it.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import modelsheet
from modelsheet.api.admin import WorkerView
from modelsheet.api.jobs import JobError
from modelsheet.errors import DiskFull
from modelsheet.jobs.protocol import Directive, LoadedModels
from modelsheet.service.executors.protocol import (
    Advanced,
    Assignment,
    Failed,
    JobReport,
    Lost,
    Silent,
)
from modelsheet.service.executors.ray.job_files import Files, Luggage, keep_only, write_files
from modelsheet.service.executors.ray.messages import FROM_ACTOR, FromActor, Hello, Kept
from modelsheet.service.executors.watchdog import Patience, Vitals
from modelsheet.service.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
_NEWS_WAIT_S = 1.0
_PAUSE_S = 0.5  # before an actor that was lost is asked again
_LONGEST_REASON = 200  # characters
_DISK_FULL = JobError(
    code=DiskFull.code,
    sentence="The disk of the data folder is full; free some space and resume the job.",
    retryable=True,
)


class Seat:
    """`make_actor` returns the actor of this name, a fresh one if there is none. `report` takes
    what its job says, `on_change` hears when the seat is taken, freed, lost or ready again.
    """

    def __init__(
        self,
        name: str,
        ray: Any,
        make_actor: Callable[[str], Any],
        data_dir: Path,
        patience: Patience,
        report: Callable[[JobReport], None],
        on_change: Callable[[], None],
    ) -> None:
        self.name = name
        self._ray = ray
        self._make_actor = make_actor
        self._blobs = BlobStore(data_dir / "blobs")
        self._report = report
        self._on_change = on_change
        self._vitals = Vitals(patience)
        self._lock = threading.Lock()
        self._assignment: Assignment | None = None
        self._is_quiet = False
        self._why = ""
        self._seen = 0  # the number of the newest item we had
        self._starting: Any = None  # the answer to start, until we looked at it
        self._begun: Any = None
        self.hello: Hello | None = None  # None while the actor is not there
        self.has_answered = threading.Event()
        self._closed = threading.Event()
        self._actor: Any = None
        self._thread = threading.Thread(target=self._live, name=name, daemon=True)
        self._thread.start()

    @property
    def is_free(self) -> bool:
        """Whether it may be given a job; one whose result nobody fetched is free too."""
        return self.hello is not None and self._assignment is None and not self.hello.is_busy

    @property
    def warm(self) -> LoadedModels:
        """What the actor has in memory; nothing while it is not there."""
        hello = self.hello
        return (
            LoadedModels(hello.base_model, tuple(hello.adapters))
            if hello is not None
            else LoadedModels()
        )

    @property
    def is_usable(self) -> bool:
        """Whether it carries out a job of ours, or could."""
        return self.hello is not None and (self._assignment is not None or self.is_free)

    @property
    def job_id(self) -> str:
        with self._lock:
            return "" if self._assignment is None else self._assignment.job_id

    def view(self) -> WorkerView:
        hello = self.hello
        place = f"{self.name} on {hello.node}" if hello else self.name
        return WorkerView(
            name=place, job_id=self.job_id, base_model=hello.base_model if hello else ""
        )

    def follow(self, assignment: Assignment) -> None:
        """Take up an attempt that goes on in the actor, or whose result lies there."""
        with self._lock:
            self._assignment = assignment
            self._seen, self._starting, self._begun = 0, None, None
        self._vitals.move()

    def start(self, assignment: Assignment, luggage: Luggage) -> bool:
        """Give the actor a job; False if it was lost meanwhile. If it is lost later, the report is
        Lost.
        """
        with self._lock:
            hello = self.hello
            if hello is None:
                return False
            self._assignment = assignment
        self._vitals.move()
        known = set(hello.subjects)
        subjects = {k: {} if k in known else files for k, files in luggage.subjects.items()}
        self._starting = self._begun = self._actor.start.remote(
            assignment.model_dump_json(), luggage.files, subjects
        )
        self._note(subjects=list(subjects))
        return True

    def tell(self, directive: Directive) -> None:
        with self._lock:
            assignment = self._assignment
        if assignment is not None and self._actor is not None:
            which = (assignment.job_id, assignment.fence, directive.value)
            self._actor.tell.remote(*which, self._begun)  # Ray calls it when the start is over

    def end(self, reason: str) -> None:
        """End the actor's process; Ray starts another."""
        self._why = reason
        if self._actor is not None:
            self._ray.kill(self._actor, no_restart=False)

    def close(self) -> None:
        """End the actor for good."""
        self._closed.set()
        if self._actor is not None:
            self._ray.kill(self._actor)

    def _live(self) -> None:
        while not self._closed.is_set():
            try:
                self._actor = self._make_actor(self.name)
                self._greet()
                while not self._closed.is_set():
                    self._listen()
            except (self._ray.exceptions.RayError, ValueError) as error:
                self._bury(self._why or _reason_in(error))
                self._closed.wait(_PAUSE_S)

    def _greet(self) -> None:
        """Wait until Ray has found a place for the actor and it answers."""
        hello = Hello.model_validate_json(self._wait_for(self._actor.hello.remote()))
        self._why, self._seen = "", 0
        if hello.version != modelsheet.__version__:
            raise ValueError(f"{hello.node} has Modelsheet {hello.version}; install this version")
        with self._lock:
            self.hello = hello
        self.has_answered.set()
        self._on_change()

    def _listen(self) -> None:
        started, self._starting = self._starting, None
        if started is not None:
            self._look_at_start(started)
        news = self._actor.news.remote(self._seen, _NEWS_WAIT_S)
        base_model, adapters, items = self._wait_for(news)
        self._vitals.beat()
        self._note(base_model=base_model, adapters=adapters)
        for number, said, files in items:
            self._receive(FROM_ACTOR.validate_json(said), files)
            self._seen = max(self._seen, number)

    def _look_at_start(self, started: Any) -> None:
        """Whoever could not take the job has lost it."""
        try:
            problem = "" if self._wait_for(started) else "it was still at another job"
        except self._ray.exceptions.RayTaskError as error:
            problem = str(error.cause)[:_LONGEST_REASON]
        with self._lock:
            assignment = self._assignment
        if problem and assignment is not None:
            self._free()
            which = {"job_id": assignment.job_id, "fence": assignment.fence}
            self._report(Lost.model_validate({**which, "reason": problem}))

    def _wait_for(self, reference: Any) -> Any:
        """Return the actor's answer. Raises RayError when it is lost, or was given up."""
        while not self._ray.wait([reference], timeout=self._vitals.check_interval_s)[0]:
            self._vitals.check()
            self._tell_quiet(self._vitals.is_quiet)
            if self._assignment is None or self._closed.is_set():
                self._vitals.move()
            elif not self._why and (reason := self._vitals.reason_to_end):
                self.end(reason)
        if self._assignment is None:
            self._vitals.move()
        elif not self._why and (reason := self._vitals.reason_to_end):
            self.end(reason)  # it answers, but its job does not get on
        self._tell_quiet(self._vitals.is_quiet)
        return self._ray.get(reference)

    def _receive(self, message: FromActor, files: Files) -> None:
        with self._lock:
            assignment = self._assignment
        which = (message.job_id, message.fence)
        if assignment is None or which != (assignment.job_id, assignment.fence):
            return  # of an attempt that is no longer ours
        self._vitals.move()
        try:
            self._unpack(message, files, assignment)
        except OSError as error:
            _log.error("What job %s sent cannot be written: %s", message.job_id, error)
            if isinstance(message, Advanced | Kept):
                return
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            problem = _DISK_FULL if is_full else _refused(error)
            message = Failed(job_id=message.job_id, fence=message.fence, error=problem)
        if isinstance(message, Kept):
            return
        if not isinstance(message, Advanced):
            self._free()
        self._report(message)

    def _unpack(self, message: FromActor, files: Files, assignment: Assignment) -> None:
        if isinstance(message, Kept):
            checkpoints = Path(assignment.checkpoint_dir)
            write_files(checkpoints, files)
            keep_only(checkpoints, message.names)
            return
        for name, content in files.items():
            folder, _, rest = name.partition("/")
            if folder == "blobs":
                self._blobs.put(rest, content)
            else:
                write_files(Path(assignment.staging_dir), {rest: content})

    def _free(self) -> None:
        with self._lock:
            self._assignment = None
        self._note(is_busy=False, attempt=None)
        self._on_change()

    def _note(self, **news: object) -> None:
        """Keep what is known of the actor up to date."""
        with self._lock:
            if self.hello is not None:
                self.hello = self.hello.model_copy(update=news)

    def _bury(self, reason: str) -> None:
        with self._lock:
            assignment, self._assignment = self._assignment, None
            self.hello = None
        self._on_change()
        if assignment is not None:
            _log.warning("%s was lost on job %s: %s", self.name, assignment.job_id, reason)
            self._report(Lost(job_id=assignment.job_id, fence=assignment.fence, reason=reason))

    def _tell_quiet(self, is_quiet: bool) -> None:
        with self._lock:
            assignment = self._assignment
        if assignment is not None and is_quiet is not self._is_quiet:
            self._is_quiet = is_quiet
            which = {"job_id": assignment.job_id, "fence": assignment.fence}
            self._report(Silent.model_validate({**which, "is_silent": is_quiet}))


def _reason_in(error: Exception) -> str:
    """The first line that says something; Ray explains at length."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:_LONGEST_REASON]


def _refused(error: OSError) -> JobError:
    sentence = f"The result could not be written to the data folder ({error.strerror})."
    return JobError(code="internal", sentence=sentence)
