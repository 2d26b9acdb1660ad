"""The operations on jobs and their queue."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from modelsheet.api.jobs import JobList, JobRequest, JobView, MoveRequest, QueueRequest, QueueView
from modelsheet.api.types import ApiModel
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.queue.job import REQUEST
from modelsheet.service.service import Service


class JobsQuery(ApiModel):
    """The query of jobs: `after` is the cursor of the page before."""

    after: Annotated[str, Field(pattern=r"^[0-9]{0,16}$")] = ""


def submit_job(service: Service, caller: Caller, body: JobRequest, key: str | None) -> JobView:
    return service.jobs.submit(caller, body, key)


def list_jobs(service: Service, caller: Caller, query: JobsQuery) -> JobList:
    return service.jobs.page(caller, query.after)


def get_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.jobs.get(caller, job_id)


def cancel_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.jobs.command(caller, job_id, "cancel")


def pause_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.jobs.command(caller, job_id, "pause")


def resume_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.jobs.command(caller, job_id, "resume")


def finish_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.jobs.command(caller, job_id, "finish")


def move_job(service: Service, caller: Caller, job_id: str, body: MoveRequest) -> JobView:
    return service.jobs.move(caller, job_id, body.before)


def read_queue(service: Service, caller: Caller) -> QueueView:
    return service.jobs.queue(caller)


def set_queue(service: Service, body: QueueRequest) -> QueueView:
    return service.jobs.set_queue(body.state)


_JOB = "/v1/jobs/<uuid:job_id>"
JOBS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/jobs",
        submit_job,
        "Queue a job",
        JobView,
        status=202,
        body=REQUEST,
        takes_key=True,
        errors=(404, 409, 429, 507),
    ),
    Operation(
        "GET",
        "/v1/jobs",
        list_jobs,
        "List the jobs, abridged and newest first, 50 at a time",
        JobList,
        query=JobsQuery,
    ),
    Operation("GET", _JOB, get_job, "Return a job", JobView),
    Operation("POST", f"{_JOB}/cancel", cancel_job, "Cancel a job", JobView, errors=(409, 507)),
    Operation(
        "POST", f"{_JOB}/pause", pause_job, "Pause a job until resumed", JobView, errors=(409, 507)
    ),
    Operation(
        "POST",
        f"{_JOB}/resume",
        resume_job,
        "Queue a paused job again",
        JobView,
        errors=(409, 429, 507),
    ),
    Operation(
        "POST",
        f"{_JOB}/finish",
        finish_job,
        "Stop learning and keep the best state so far",
        JobView,
        errors=(409, 429, 507),
    ),
    Operation(
        "POST",
        f"{_JOB}/move",
        move_job,
        "Move a queued job before another, or to the end",
        JobView,
        body=TypeAdapter(MoveRequest),
        errors=(409, 507),
    ),
    Operation(
        "GET", "/v1/queue", read_queue, "Return the queue's state and the queued jobs", QueueView
    ),
    Operation(
        "PUT",
        "/v1/queue",
        set_queue,
        "Open or hold the queue, or end the service after the running jobs",
        QueueView,
        body=TypeAdapter(QueueRequest),
        operator_only=True,
        errors=(507,),
    ),
)
