"""Messages between the service and its Ray driver over a pipe, besides runs and their reports, and
the state that a Ray actor returns. All are JSON.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from modelsheet.api.admin import WorkerView
from modelsheet.api.types import ApiModel
from modelsheet.service.executors.protocol import (
    Failed,
    Finished,
    JobRun,
    Lost,
    Progressed,
    RunId,
    SetDirective,
    Stalled,
    StoppedEarly,
)


class ResumeRuns(ApiModel):
    """The runs that may go on; all others found in the cluster are ended."""

    kind: Literal["resume"] = "resume"
    runs: list[RunId]


class KillRun(ApiModel):
    """End the actor of a running job."""

    kind: Literal["kill"] = "kill"
    job_id: str


class CloseActors(ApiModel):
    """End the actors: the service ends in order."""

    kind: Literal["close"] = "close"


class ClusterConnected(ApiModel):
    """The cluster answers; the driver waits for ResumeRuns."""

    kind: Literal["connected"] = "connected"


class RunsResumed(ApiModel):
    """The jobs whose runs go on."""

    kind: Literal["resumed"] = "resumed"
    jobs: list[str]


class WorkerList(ApiModel):
    """The actors that are ready or run a job, and the adapters that each has in memory."""

    kind: Literal["workers"] = "workers"
    workers: list[WorkerView]
    adapters: list[list[str]]


class ActorState(ApiModel):
    """The state of an actor: its machine, its newest run (whose result may still lie there), the
    models in memory, and the subjects whose files it has.
    """

    version: str
    node: str
    run: RunId | None = None
    is_busy: bool = False
    base_model: str = ""
    adapters: list[str] = []
    subjects: list[str] = []


class CheckpointSaved(RunId):
    """A checkpoint, sent with its new files; `names` are all its files, also those sent before."""

    kind: Literal["checkpoint"] = "checkpoint"
    names: list[str]


DriverCommand = JobRun | ResumeRuns | SetDirective | KillRun | CloseActors
DRIVER_COMMAND: TypeAdapter[DriverCommand] = TypeAdapter(
    Annotated[DriverCommand, Field(discriminator="kind")]
)
FromDriver = (
    Progressed
    | Finished
    | Failed
    | StoppedEarly
    | Lost
    | Stalled
    | ClusterConnected
    | RunsResumed
    | WorkerList
)
FROM_DRIVER: TypeAdapter[FromDriver] = TypeAdapter(
    Annotated[FromDriver, Field(discriminator="kind")]
)
FromActor = Progressed | Finished | Failed | StoppedEarly | CheckpointSaved
FROM_ACTOR: TypeAdapter[FromActor] = TypeAdapter(Annotated[FromActor, Field(discriminator="kind")])
