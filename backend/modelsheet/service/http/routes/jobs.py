"""The operations on jobs, their queue, and the artists who may ask for them."""

from __future__ import annotations

from modelsheet.api.admin import (
    LimitsRequest,
    NewToken,
    StatsView,
    TokenList,
    TokenRequest,
    TokenView,
    WorkloadView,
)
from modelsheet.api.jobs import JobList, JobRequest, JobView, MoveRequest, QueueRequest, QueueView
from modelsheet.api.system import Empty
from modelsheet.service.auth.caller import Caller
from modelsheet.service.service import Service


def submit_job(service: Service, caller: Caller, body: JobRequest, key: str | None) -> JobView:
    return service.desk(caller).submit(body, key)


def list_jobs(service: Service, caller: Caller) -> JobList:
    return JobList(jobs=service.desk(caller).jobs())


def get_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.desk(caller).job(job_id)


def cancel_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.desk(caller).cancel(job_id)


def pause_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.desk(caller).pause(job_id)


def resume_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.desk(caller).resume(job_id)


def finish_job(service: Service, caller: Caller, job_id: str) -> JobView:
    return service.desk(caller).finish(job_id)


def move_job(service: Service, caller: Caller, job_id: str, body: MoveRequest) -> JobView:
    return service.desk(caller).move(job_id, body.before)


def read_queue(service: Service, caller: Caller) -> QueueView:
    return service.desk(caller).queue()


def set_queue(service: Service, body: QueueRequest) -> QueueView:
    return service.set_queue(body.state)


def list_tokens(service: Service) -> TokenList:
    return TokenList(tokens=service.artists.list())


def add_token(service: Service, body: TokenRequest) -> NewToken:
    return service.artists.add(body.name)


def limit_artist(service: Service, artist: str, body: LimitsRequest) -> TokenView:
    return service.artists.limit(artist, body.gpus, body.queued)


def read_studio(service: Service) -> WorkloadView:
    return service.studio()


def read_stats(service: Service) -> StatsView:
    return service.stats()


def revoke_token(service: Service, artist: str) -> Empty:
    service.artists.revoke(artist)
    return Empty()
