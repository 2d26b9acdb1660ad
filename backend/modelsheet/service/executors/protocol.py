"""Interface of the executors, and the messages between them and the dispatcher. The same messages
cross the worker's pipe as JSON.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Annotated, Literal, Protocol

from pydantic import Field, TypeAdapter

from modelsheet.api.admin import WorkerView
from modelsheet.api.jobs import JobError, JobRequest, JobResult, Progress
from modelsheet.api.types import ApiModel
from modelsheet.errors import DiskFull
from modelsheet.jobs.protocol import Directive
from modelsheet.service.queue.job import Job

DISK_FULL = JobError.of(
    DiskFull("The disk of the data folder is full; free some space and resume the job.")
)


class RunId(ApiModel):
    """A run, by its job and fence."""

    job_id: str
    fence: int


class JobRun(RunId):
    """A run of a job. Its reports carry the fence, by which those of earlier runs are dropped."""

    kind: Literal["run"] = "run"
    owner: str = ""
    request: JobRequest
    checkpoint_dir: str
    staging_dir: str


class SetDirective(RunId):
    """A directive for a running job."""

    kind: Literal["directive"] = "directive"
    directive: Annotated[Directive, Field(strict=False)]


class Progressed(RunId):
    """The run made progress."""

    kind: Literal["progressed"] = "progressed"
    progress: Progress


class Finished(RunId):
    """The run has a result."""

    kind: Literal["finished"] = "finished"
    result: JobResult


class Failed(RunId):
    """The run ended with an error for the user."""

    kind: Literal["failed"] = "failed"
    error: JobError


class StoppedEarly(RunId):
    """The runner stopped at a step boundary on a directive: with a checkpoint, or cancelled."""

    kind: Literal["stopped"] = "stopped"
    cancelled: bool


class Lost(RunId):
    """The worker of the run died."""

    kind: Literal["lost"] = "lost"
    reason: str


class Stalled(RunId):
    """The worker gives no sign of life for a while, or does so again."""

    kind: Literal["stalled"] = "stalled"
    is_stalled: bool


class SlotsChanged(ApiModel):
    """The number of runs that are possible at once has changed."""

    kind: Literal["slots"] = "slots"


class Heartbeat(ApiModel):
    """The worker process is alive."""

    kind: Literal["heartbeat"] = "heartbeat"


JobReport = Progressed | Finished | Failed | StoppedEarly | Lost | Stalled
Report = JobReport | SlotsChanged
ReportHandler = Callable[[Report], None]

WORKER_COMMAND: TypeAdapter[JobRun | SetDirective] = TypeAdapter(
    Annotated[JobRun | SetDirective, Field(discriminator="kind")]
)
WORKER_MESSAGE: TypeAdapter[Progressed | Finished | Failed | StoppedEarly | Heartbeat] = (
    TypeAdapter(
        Annotated[
            Progressed | Finished | Failed | StoppedEarly | Heartbeat, Field(discriminator="kind")
        ]
    )
)


class Executor(Protocol):
    """Run jobs and pass their reports, from any thread, to the handler given at construction."""

    @property
    def slots(self) -> int:
        """Return how many runs are possible at once; SlotsChanged is sent after a change."""
        ...

    def resume(self, runs: Collection[tuple[str, int]]) -> Collection[str]:
        """Return the jobs of the given runs, by job and fence, that go on since an earlier service;
        all other runs are ended. Called once, before the first start.
        """
        ...

    def prepare(self) -> None:
        """Start a worker without a job where none was started yet, so that the first job need not
        wait for its imports. Raises OSError: no worker can be started.
        """
        ...

    def start(self, run: JobRun) -> None:
        """Start a run, or follow one that goes on. Raises OSError: no worker can be started."""
        ...

    def tell(self, job_id: str, directive: Directive) -> None:
        """Pass a directive to a running job; ignored if the job does not run."""
        ...

    def kill(self, job_id: str) -> None:
        """End a run by force; its report is Lost."""
        ...

    def warmth(self, job: Job) -> int:
        """Return how much of the models that a job needs a free worker has in memory: 0 nothing,
        1 the base model, 2 its adapters too.
        """
        ...

    def workers(self) -> list[WorkerView]:
        """Return the workers and the job of each."""
        ...

    def close(self) -> None:
        """End all workers."""
        ...
