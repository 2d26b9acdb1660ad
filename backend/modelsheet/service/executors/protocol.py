"""What the dispatcher says to an executor and hears from it. The same messages cross the worker's
pipe as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from modelsheet.api.admin import WorkerView
from modelsheet.api.jobs import JobError, JobRequest, JobResult, Progress
from modelsheet.api.types import Model
from modelsheet.jobs.protocol import Directive
from modelsheet.service.queue.job import Job


class Assignment(Model):
    """One attempt at one job. Reports carry its fence, so that those of an earlier attempt are
    known and dropped.
    """

    kind: Literal["run"] = "run"
    job_id: str
    fence: int
    owner: str = ""
    request: JobRequest
    checkpoint_dir: str
    staging_dir: str


class Told(Model):
    """A directive for the attempt with this fence."""

    kind: Literal["told"] = "told"
    fence: int
    directive: Annotated[Directive, Field(strict=False)]


class Advanced(Model):
    kind: Literal["advanced"] = "advanced"
    job_id: str
    fence: int
    progress: Progress


class Finished(Model):
    kind: Literal["finished"] = "finished"
    job_id: str
    fence: int
    result: JobResult


class Failed(Model):
    kind: Literal["failed"] = "failed"
    job_id: str
    fence: int
    error: JobError


class StoppedEarly(Model):
    """The runner left at a step boundary as it was told to: with a checkpoint, or cancelled."""

    kind: Literal["stopped"] = "stopped"
    job_id: str
    fence: int
    cancelled: bool


class Lost(Model):
    """The process that carried the job is gone without a word."""

    kind: Literal["lost"] = "lost"
    job_id: str
    fence: int
    reason: str


class Silent(Model):
    """The worker gives no sign of life for a while, or it does again."""

    kind: Literal["silent"] = "silent"
    job_id: str
    fence: int
    is_silent: bool


class Room(Model):
    """Another number of attempts than before can run at once."""

    kind: Literal["room"] = "room"


class Beat(Model):
    """The worker's process lives."""

    kind: Literal["beat"] = "beat"


JobReport = Advanced | Finished | Failed | StoppedEarly | Lost | Silent
Report = JobReport | Room
Sink = Callable[[Report], None]

ORDER: TypeAdapter[Assignment | Told] = TypeAdapter(
    Annotated[Assignment | Told, Field(discriminator="kind")]
)
MESSAGE: TypeAdapter[Advanced | Finished | Failed | StoppedEarly | Beat] = TypeAdapter(
    Annotated[Advanced | Finished | Failed | StoppedEarly | Beat, Field(discriminator="kind")]
)


class Executor(Protocol):
    """Carries out assignments and reports to the sink it was made with, from any thread."""

    @property
    def slots(self) -> int:
        """How many attempts can run at once, those that run included; Room tells of a change."""
        ...

    def resume(self, attempts: Collection[tuple[str, int]]) -> Collection[str]:
        """Find those attempts, by job and fence, that an earlier service left and that go on, and
        return their jobs; any others are ended. Asked once, before the first start.
        """
        ...

    def start(self, assignment: Assignment) -> None:
        """Carry it out, or follow it from here on if it goes on. Raises OSError: nobody is there to
        do it.
        """
        ...

    def tell(self, job_id: str, directive: Directive) -> None:
        """Pass a directive to the running attempt; without one, nothing happens."""
        ...

    def kill(self, job_id: str) -> None:
        """End the running attempt by force; its report is Lost."""
        ...

    def warmth(self, job: Job) -> int:
        """How much of what a job needs a free worker has in memory: 0 nothing, 1 the base model, 2
        its adapters too.
        """
        ...

    def workers(self) -> list[WorkerView]:
        """Return who works here and at what."""
        ...

    def close(self) -> None: ...
