"""Jobs of every kind: views, progress, events, and the state of the queue."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from modelsheet.api.animate import AnimateRequest, AnimateResult
from modelsheet.api.describe_images import DescribeRequest, DescribeResult
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.api.learn import LearnRequest, LearnResult, LikenessPoint
from modelsheet.api.models import DownloadRequest, DownloadResult
from modelsheet.api.types import ApiModel, Count, Fraction, JobId
from modelsheet.errors import ModelsheetError

JobState = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
QueueState = Literal["open", "held", "ending"]
TERMINAL_STATES: frozenset[JobState] = frozenset({"done", "failed", "cancelled"})
JobRequest = Annotated[
    LearnRequest | GenerateRequest | DescribeRequest | DownloadRequest | AnimateRequest,
    Field(discriminator="kind"),
]
JobResult = Annotated[
    LearnResult | GenerateResult | DescribeResult | DownloadResult | AnimateResult,
    Field(discriminator="kind"),
]


class Progress(ApiModel):
    """Progress of a job: `phase` in a few plain words, `previews` are results so far."""

    phase: str = "waiting"
    step: Count = 0
    total: Count = 0
    fraction: Fraction = 0.0
    eta_s: float | None = None
    loss: float | None = None
    curve: list[LikenessPoint] = []
    previews: list[GeneratedImage] = []


class JobError(ApiModel):
    """The error that ended a job: `sentence` for the user, `retryable` if a retry may succeed."""

    code: str
    sentence: str
    retryable: bool = False

    @classmethod
    def of(cls, error: ModelsheetError) -> JobError:
        """Return an error as a job shows it."""
        return cls(code=error.code, sentence=str(error), retryable=error.retryable)


class JobView(ApiModel):
    """A job as the API shows it. Times are Unix seconds.

    `owner` is the artist whose token submitted it, empty for the administrator. `stalled`: it runs,
    but its worker sends no heartbeat; the worker is replaced if that goes on. `abridged`: as lists
    show it, without previews, recipes and parameters and with long prompts cut; the job alone has
    them.
    """

    id: str
    kind: Literal["learn", "generate", "describe", "download", "animate"]
    title: str
    state: JobState
    attempt: Count
    owner: str = ""
    stalled: bool = False
    abridged: bool = False
    progress: Progress
    result: JobResult | None = None
    error: JobError | None = None
    created: float
    started: float | None = None
    finished: float | None = None


class JobList(ApiModel):
    """A page of abridged jobs, newest first; `cursor` is the next `after`, empty at the end."""

    jobs: list[JobView]
    cursor: str = ""


class MoveRequest(ApiModel):
    """Move a waiting job right before another of its kind, or to the end."""

    before: JobId | None = None


class QueueRequest(ApiModel):
    """Set the state of the queue: `held` starts no job, `ending` stops after the running job."""

    state: QueueState


class QueueView(ApiModel):
    """State of the queue, and the ids of the waiting jobs in the order in which they start."""

    state: QueueState
    waiting: list[str]


class Event(ApiModel):
    """A change of a job or of the subjects; `job` is the whole view after it."""

    seq: Count
    type: Literal["job", "subjects"]
    job: JobView | None = None


class EventPage(ApiModel):
    """Events since a cursor; `cursor` is the next `after`, a `gap` means: read /v1/jobs again."""

    events: list[Event]
    cursor: str
    gap: bool = False
    retry_ms: Count = 0
