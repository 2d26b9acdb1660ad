"""A job as the database stores it: the view that the API returns, and the service's own columns."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from modelsheet.api.animate import AnimateRequest
from modelsheet.api.describe_images import DescribeRequest
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.generate_result import GeneratedImage, GenerateResult
from modelsheet.api.jobs import JobError, JobRequest, JobResult, JobState, JobView, Progress
from modelsheet.api.learn import LearnRequest
from modelsheet.api.models import DownloadRequest

UNFINISHED_STATES: tuple[JobState, ...] = ("queued", "running", "paused")
JobKind = Literal["learn", "generate", "describe", "download", "animate"]
# An artist waits for images and frames, and for descriptions only until the form is filled in;
# learning takes minutes anyway; a download gives way to all of them.
PRIORITIES: dict[JobKind, int] = {
    "generate": 100,
    "animate": 100,
    "describe": 50,
    "learn": 10,
    "download": 1,
}
_TIMES = ("created", "started", "finished")
# The columns that are backed up. Progress is not worth it, and `checksum` is computed from these.
DURABLE = (
    "id",
    "kind",
    "title",
    "priority",
    "place",
    "owner",
    "state",
    "request",
    "idempotency_key",
    "attempt",
    "fence",
    "cancel_requested",
    "pause_requested",
    "finish_requested",
    "result",
    "error",
    *_TIMES,
)
_SHOWN = ("id", "kind", "title", "state", "attempt", "owner", *_TIMES)  # as they are
_LISTED_PROMPT = 200  # characters of an image's prompt in a list
Value = str | int | float | None
REQUEST: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)
RESULT: TypeAdapter[JobResult] = TypeAdapter(JobResult)


@dataclass(frozen=True)
class Job:
    """One row of the table of jobs."""

    view: JobView
    request_json: str
    priority: int
    fence: int
    cancel_requested: bool
    pause_requested: bool
    finish_requested: bool = False
    place: float = 0.0  # among those of the same priority

    @property
    def id(self) -> str:
        return self.view.id

    @property
    def request(self) -> JobRequest:
        """Return the request, parsed anew from its JSON."""
        return REQUEST.validate_json(self.request_json)


def title_of(request: JobRequest) -> str:
    """Return the job's title in lists."""
    match request:
        case LearnRequest():
            return request.name
        case GenerateRequest():
            # The regions name the subjects; the prompt is what lies around them.
            return ", ".join(region.prompt for region in request.regions) or request.prompt
        case DescribeRequest():
            return "describe"
        case DownloadRequest():
            return request.model
        case AnimateRequest():
            actions = [*request.actions, *(own.name for own in request.own_actions)]
            return " ".join([request.subject or "", ", ".join(actions) or "views"]).strip()


def abridged(view: JobView) -> JobView:
    """Return a job as lists show it: some of its results are a hundred times as long."""
    result = view.result
    if isinstance(result, GenerateResult):
        images = [_abridged_image(image) for image in result.images]
        sheet = result.sheet and _abridged_image(result.sheet)
        result = result.model_copy(update={"images": images, "sheet": sheet})
    progress = view.progress.model_copy(update={"previews": []})
    return view.model_copy(update={"abridged": True, "result": result, "progress": progress})


def _abridged_image(image: GeneratedImage) -> GeneratedImage:
    prompt = image.prompt[:_LISTED_PROMPT]
    return image.model_copy(update={"prompt": prompt, "recipe": None, "parameters": ""})


def job_from_row(row: sqlite3.Row, progress: Progress | None, is_stalled: bool = False) -> Job:
    """Return the job of a row; `progress` is newer than the row's, if given."""
    stored = Progress.model_validate_json(row["progress"]) if row["progress"] else Progress()
    view = JobView(
        **{name: row[name] for name in _SHOWN},
        stalled=is_stalled and row["state"] == "running",
        progress=progress or stored,
        result=RESULT.validate_json(row["result"]) if row["result"] else None,
        error=JobError.model_validate_json(row["error"]) if row["error"] else None,
    )
    return Job(
        view=view,
        request_json=row["request"],
        priority=row["priority"],
        fence=row["fence"],
        cancel_requested=bool(row["cancel_requested"]),
        pause_requested=bool(row["pause_requested"]),
        finish_requested=bool(row["finish_requested"]),
        place=row["place"],
    )
