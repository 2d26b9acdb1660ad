"""Protocols between the job queue and the code that runs a job. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Protocol

from modelsheet.api.jobs import JobRequest, JobResult, Progress
from modelsheet.errors import Cancelled


class Directive(str, Enum):
    """Command of the queue to the runner, which asks for it once a step."""

    RUN = "run"
    YIELD = "yield"  # save a checkpoint and make way for a more urgent job
    PAUSE = "pause"  # the same, until the job is resumed
    FINISH = "finish"  # learning only: stop, and return the best adapter so far as the result
    CANCEL = "cancel"


class JobSuspended(Exception):
    """Raised by a runner that saved a checkpoint and stopped (YIELD, PAUSE); a new run resumes."""


class JobContext(Protocol):
    """Services for one running job; independent of pipes, HTTP and databases."""

    @property
    def job_id(self) -> str: ...

    @property
    def owner(self) -> str:
        """User whose subjects the job may use; empty for the administrator, who may use all."""
        ...

    @property
    def checkpoint_dir(self) -> Path:
        """Folder of this job alone; keeps the files of its earlier attempts."""
        ...

    @property
    def staging_dir(self) -> Path:
        """Empty folder for a learn job's subject; the service publishes it by one rename."""
        ...

    def progress(self, progress: Progress) -> None: ...

    def directive(self) -> Directive: ...

    def read_blob(self, sha256: str) -> bytes: ...

    def write_blob(self, content: bytes) -> str:
        """Store a result and return its sha256."""
        ...


def obey_directive(context: JobContext) -> None:
    """Raise Cancelled or JobSuspended as directed, where there is no progress to save."""
    directive = context.directive()
    if directive is Directive.CANCEL:
        raise Cancelled("The job was cancelled.")
    if directive in (Directive.YIELD, Directive.PAUSE):
        raise JobSuspended


@dataclass(frozen=True)
class LoadedModels:
    """Models that a runner has in memory, or that a job needs there: a base model, and adapters of
    it by their sha256.
    """

    base_model: str = ""
    adapters: tuple[str, ...] = ()

    def covers(self, needs: LoadedModels) -> int:
        """Compare with a job's needs: 0 nothing is loaded, 1 the base model, 2 the adapters too."""
        if not needs.base_model or self.base_model != needs.base_model:
            return 0
        return 2 if needs.adapters and set(needs.adapters) <= set(self.adapters) else 1


class Runner(Protocol):
    """Runs jobs one at a time and keeps models in memory between them.

    Raises ModelsheetError for the user, Cancelled on CANCEL, JobSuspended on YIELD and PAUSE.
    """

    @property
    def loaded_models(self) -> LoadedModels:
        """Models that the next job need not load; read from any thread."""
        ...

    def run(self, request: JobRequest, context: JobContext) -> JobResult: ...


class RunnerFactory(Protocol):
    """Makes the runner in its own process; named "package.module:attribute", to be spawned."""

    def __call__(self, data_dir: Path) -> Runner: ...
