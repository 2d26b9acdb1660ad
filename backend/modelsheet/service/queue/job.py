"""A job as the ledger keeps it: the view the API shows, and what only the service needs to know."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

from modelsheet.api.describe import DescribeRequest
from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import JobError, JobRequest, JobResult, JobView, Progress
from modelsheet.api.learn import LearnRequest
from modelsheet.api.models import DownloadRequest

Kind = Literal["learn", "generate", "describe", "download"]
# An artist waits for a picture or a guess; learning takes its time anyway; a download gives way to
# all of them.
PRIORITIES: dict[Kind, int] = {"generate": 100, "describe": 100, "learn": 10, "download": 1}
# What of a row must outlive the ledger itself; progress is not worth it, and checksum is its sum.
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
    "created",
    "started",
    "finished",
)
Value = str | int | float | None
REQUEST: TypeAdapter[JobRequest] = TypeAdapter(JobRequest)
RESULT: TypeAdapter[JobResult] = TypeAdapter(JobResult)


@dataclass(frozen=True)
class Job:
    """One row of the ledger."""

    view: JobView
    request_json: str
    priority: int
    fence: int
    cancel_requested: bool
    pause_requested: bool
    finish_requested: bool = False
    place: int = 0

    @property
    def id(self) -> str:
        return self.view.id

    @property
    def request(self) -> JobRequest:
        return REQUEST.validate_json(self.request_json)


def title_of(request: JobRequest) -> str:
    """Return what the job is called in lists."""
    match request:
        case LearnRequest():
            return request.name
        case GenerateRequest():
            return request.prompt
        case DescribeRequest():
            return "describe"
        case DownloadRequest():
            return request.model


def job_from_row(row: sqlite3.Row, progress: Progress | None, is_stalled: bool = False) -> Job:
    """Read a row; `progress` is the newer one in memory, if any."""
    stored = Progress.model_validate_json(row["progress"]) if row["progress"] else Progress()
    view = JobView(
        id=row["id"],
        kind=row["kind"],
        title=row["title"],
        state=row["state"],
        attempt=row["attempt"],
        owner=row["owner"],
        stalled=is_stalled and row["state"] == "running",
        progress=progress or stored,
        result=RESULT.validate_json(row["result"]) if row["result"] else None,
        error=JobError.model_validate_json(row["error"]) if row["error"] else None,
        created=row["created"],
        started=row["started"],
        finished=row["finished"],
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
