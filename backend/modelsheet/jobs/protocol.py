"""The port between the service and what runs a job: what is told and what is said. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from modelsheet.api.jobs import JobRequest, JobResult, Progress


class Directive(str, Enum):
    """What the runner shall do next; asked for once a step."""

    RUN = "run"
    YIELD = "yield"  # save a checkpoint and step aside for a more urgent job
    PAUSE = "pause"  # the same, until somebody resumes
    FINISH = "finish"  # learning only: stop here, keep the best so far, and return it as the result
    CANCEL = "cancel"


class SteppedAside(Exception):
    """The runner saved a checkpoint and left (YIELD, PAUSE); running again goes on from there."""


class JobContext(Protocol):
    """What a runner may use for one job; it knows nothing of pipes, HTTP or databases."""

    @property
    def job_id(self) -> str: ...

    @property
    def owner(self) -> str:
        """The artist whose subjects the job may use; empty for the one who runs the service."""
        ...

    @property
    def checkpoint_dir(self) -> Path:
        """A folder of this job alone; what an earlier attempt left in it is still there."""
        ...

    @property
    def staging_dir(self) -> Path:
        """An empty folder for what a learn job leaves; the service publishes it by one rename."""
        ...

    def progress(self, progress: Progress) -> None: ...

    def directive(self) -> Directive: ...

    def read_blob(self, sha256: str) -> bytes: ...

    def write_blob(self, content: bytes) -> str:
        """Store a result and return its sha256."""
        ...


@dataclass(frozen=True)
class Warm:
    """What a runner has in memory, or a job needs there: a base model, and adapters of it by their
    sha256.
    """

    base_model: str = ""
    adapters: tuple[str, ...] = ()

    def covers(self, needs: Warm) -> int:
        """How much of that is there: 0 nothing, 1 the base model, 2 the adapters too."""
        if not needs.base_model or self.base_model != needs.base_model:
            return 0
        return 2 if needs.adapters and set(needs.adapters) <= set(self.adapters) else 1


class Runner(Protocol):
    """Carries out jobs one at a time and keeps models warm between them.

    Raises ModelsheetError for the artist, Cancelled on CANCEL, SteppedAside on YIELD and PAUSE.
    """

    @property
    def warm(self) -> Warm:
        """What the next job would not have to load; asked from any thread."""
        ...

    def run(self, request: JobRequest, context: JobContext) -> JobResult: ...


class RunnerFactory(Protocol):
    """Makes the runner in its own process; named "package.module:attribute" to cross a spawn."""

    def __call__(self, data_dir: Path) -> Runner: ...
