"""What the service and its Ray driver say to each other over a pipe, beside assignments and their
reports; and what a Ray actor says of itself. All of it is JSON.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from modelsheet.api.admin import WorkerView
from modelsheet.api.types import Model
from modelsheet.jobs.protocol import Directive
from modelsheet.service.executors.protocol import (
    Advanced,
    Assignment,
    Failed,
    Finished,
    Lost,
    Silent,
    StoppedEarly,
)


class Attempt(Model):
    job_id: str
    fence: int


class Resume(Model):
    """Which attempts may go on; all others found in the cluster are ended."""

    kind: Literal["resume"] = "resume"
    attempts: list[Attempt]


class Tell(Model):
    kind: Literal["tell"] = "tell"
    job_id: str
    directive: Annotated[Directive, Field(strict=False)]


class Kill(Model):
    kind: Literal["kill"] = "kill"
    job_id: str


class Close(Model):
    """End the actors too: the service ends in order."""

    kind: Literal["close"] = "close"


class Connected(Model):
    """The cluster answers; the driver waits for Resume."""

    kind: Literal["connected"] = "connected"


class Resumed(Model):
    """The jobs whose attempts go on."""

    kind: Literal["resumed"] = "resumed"
    jobs: list[str]


class Staff(Model):
    """The actors that are ready or at work, and the adapters that each has in memory."""

    kind: Literal["staff"] = "staff"
    workers: list[WorkerView]
    adapters: list[list[str]]


class Hello(Model):
    """An actor's account of itself: its place, its newest attempt (its result may still lie there),
    what is in memory, and whose files it has.
    """

    version: str
    node: str
    attempt: Attempt | None = None
    is_busy: bool = False
    base_model: str = ""
    adapters: list[str] = []
    subjects: list[str] = []


class Kept(Model):
    """A checkpoint that comes with its files; `names` are all it has, also those sent before."""

    kind: Literal["kept"] = "kept"
    job_id: str
    fence: int
    names: list[str]


Order = Assignment | Resume | Tell | Kill | Close
ORDERS: TypeAdapter[Order] = TypeAdapter(Annotated[Order, Field(discriminator="kind")])
FromDriver = (
    Advanced | Finished | Failed | StoppedEarly | Lost | Silent | Connected | Resumed | Staff
)
FROM_DRIVER: TypeAdapter[FromDriver] = TypeAdapter(
    Annotated[FromDriver, Field(discriminator="kind")]
)
FromActor = Advanced | Finished | Failed | StoppedEarly | Kept
FROM_ACTOR: TypeAdapter[FromActor] = TypeAdapter(Annotated[FromActor, Field(discriminator="kind")])
