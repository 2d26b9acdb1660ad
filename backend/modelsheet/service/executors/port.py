"""What the dispatcher says to an executor and hears from it. The same messages cross the worker's
pipe as JSON.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from modelsheet.contract import JobError, JobRequest, JobResult, Model, Progress
from modelsheet.execution import Directive


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


class Beat(Model):
    """The worker's process lives."""

    kind: Literal["beat"] = "beat"


Report = Advanced | Finished | Failed | StoppedEarly | Lost | Silent
Sink = Callable[[Report], None]

ORDER: TypeAdapter[Assignment | Told] = TypeAdapter(
    Annotated[Assignment | Told, Field(discriminator="kind")]
)
MESSAGE: TypeAdapter[Advanced | Finished | Failed | StoppedEarly | Beat] = TypeAdapter(
    Annotated[Advanced | Finished | Failed | StoppedEarly | Beat, Field(discriminator="kind")]
)


class Executor(Protocol):
    """Carries out one assignment at a time and reports to the sink it was made with, from any
    thread.
    """

    def start(self, assignment: Assignment) -> None: ...

    def tell(self, directive: Directive) -> None:
        """Pass a directive to the running attempt; without one, nothing happens."""
        ...

    def kill(self) -> None:
        """End the running attempt by force; its report is Lost."""
        ...

    def close(self) -> None: ...
