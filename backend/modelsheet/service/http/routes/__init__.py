"""The operations of the HTTP API: each handler turns a request into one call of the service."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field, TypeAdapter

from modelsheet.api.admin import (
    LimitsRequest,
    NewToken,
    StatsView,
    TokenList,
    TokenRequest,
    TokenView,
    WorkloadView,
)
from modelsheet.api.describe import ClassNounList
from modelsheet.api.jobs import (
    EventPage,
    JobList,
    JobRequest,
    JobView,
    MoveRequest,
    QueueRequest,
    QueueView,
)
from modelsheet.api.learn import Estimate, Preset
from modelsheet.api.models import Capabilities
from modelsheet.api.subjects import RenameRequest, SubjectList, SubjectView
from modelsheet.api.system import BlobView, Empty, Ping
from modelsheet.api.types import Model, ModelId
from modelsheet.base_models.catalogue import DEFAULT_BASE_MODEL
from modelsheet.errors import NotFound
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.operations import BYTES, Operation
from modelsheet.service.http.routes.jobs import (
    add_token,
    cancel_job,
    finish_job,
    get_job,
    limit_artist,
    list_jobs,
    list_tokens,
    move_job,
    pause_job,
    read_queue,
    read_stats,
    read_studio,
    resume_job,
    revoke_token,
    set_queue,
    submit_job,
)
from modelsheet.service.http.routes.models import MODELS
from modelsheet.service.http.routes.subjects import EXCHANGE
from modelsheet.service.queue.job import REQUEST
from modelsheet.service.service import Service


class PingQuery(Model):
    """`nonce` asks for a proof; `key` are the first digits of the sha256 of the token to prove."""

    key: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    nonce: Annotated[str, Field(pattern=r"^([0-9a-f]{16,128})?$")] = ""


class EventsQuery(Model):
    """`after` is the cursor of the last page, `wait` seconds to wait for something to happen."""

    after: Annotated[str, Field(pattern=r"^([0-9a-f]{16}:[0-9]{1,16})?$")] = ""
    wait: Annotated[float, Field(ge=0.0, le=15.0, allow_inf_nan=False)] = 0.0
    job: Annotated[str, Field(max_length=64)] = ""


class ClassNounQuery(Model):
    base_model: ModelId = DEFAULT_BASE_MODEL


class EstimateQuery(Model):
    """What somebody is about to learn with."""

    base_model: ModelId = DEFAULT_BASE_MODEL
    preset: Preset = "balanced"


def ping(service: Service, query: PingQuery) -> Ping:
    proof = service.access.prove(query.nonce, query.key) if query.nonce else ""
    return Ping(proof=proof)


def capabilities(service: Service) -> Capabilities:
    return service.capabilities()


def estimate(service: Service, query: EstimateQuery) -> Estimate:
    return service.estimates.of(query.base_model, query.preset)


def class_nouns(service: Service, query: ClassNounQuery) -> ClassNounList:
    return service.class_nouns(query.base_model)


def has_blob(service: Service, sha256: str) -> Response:
    size = service.blobs.size(sha256)
    if size is None:
        raise NotFound("There is no such blob; send it.")
    response = Response(content_type=BYTES)
    response.content_length = size
    return response


def put_blob(service: Service, sha256: str, content: bytes) -> BlobView:
    service.put_blob(sha256, content)
    return BlobView(sha256=sha256, size=len(content))


def get_blob(service: Service, sha256: str) -> Response:
    return Response(service.blobs.read(sha256), content_type=BYTES)


def read_events(service: Service, caller: Caller, query: EventsQuery) -> EventPage:
    return service.events.read(query.after, query.wait, query.job or None, caller)


def list_subjects(service: Service, caller: Caller) -> SubjectList:
    return SubjectList(subjects=service.subjects(caller))


def get_subject(service: Service, caller: Caller, subject_id: str) -> SubjectView:
    return service.subject(subject_id, caller)


def rename_subject(
    service: Service, caller: Caller, subject_id: str, body: RenameRequest
) -> SubjectView:
    return service.rename_subject(subject_id, body.name, caller)


def trash_subject(service: Service, caller: Caller, subject_id: str) -> Empty:
    service.trash_subject(subject_id, caller)
    return Empty()


_BLOB = "/v1/blobs/<sha256:sha256>"
_JOB = "/v1/jobs/<uuid:job_id>"
_SUBJECT = "/v1/subjects/<uuid:subject_id>"
_JOB_REQUEST: TypeAdapter[JobRequest] = REQUEST
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/ping",
        ping,
        "Whether the service is there, and proof that it knows the token",
        Ping,
        query=PingQuery,
        is_public=True,
    ),
    Operation(
        "GET", "/v1/capabilities", capabilities, "What this service is and has", Capabilities
    ),
    Operation(
        "GET",
        "/v1/estimate",
        estimate,
        "What learning will take",
        Estimate,
        query=EstimateQuery,
        errors=(404,),
    ),
    Operation(
        "GET",
        "/v1/class-nouns",
        class_nouns,
        "What a subject of a base model can be",
        ClassNounList,
        query=ClassNounQuery,
        errors=(404,),
    ),
    # HEAD before GET: a GET route answers HEAD too, by reading the whole blob.
    Operation("HEAD", _BLOB, has_blob, "Whether a blob is there", None),
    Operation("GET", _BLOB, get_blob, "The bytes of a blob", None),
    Operation(
        "PUT",
        _BLOB,
        put_blob,
        "Store bytes under their sha256",
        BlobView,
        takes_bytes=True,
        errors=(409, 507),
    ),
    Operation(
        "POST",
        "/v1/jobs",
        submit_job,
        "Queue a job",
        JobView,
        status=202,
        body=_JOB_REQUEST,
        takes_key=True,
        errors=(404, 409, 429, 507),
    ),
    Operation("GET", "/v1/jobs", list_jobs, "The newest jobs, newest first", JobList),
    Operation("GET", _JOB, get_job, "One job", JobView),
    Operation("POST", f"{_JOB}/cancel", cancel_job, "Cancel a job", JobView, errors=(409, 507)),
    Operation(
        "POST", f"{_JOB}/pause", pause_job, "Pause a job until resumed", JobView, errors=(409, 507)
    ),
    Operation(
        "POST", f"{_JOB}/resume", resume_job, "Queue a paused job again", JobView, errors=(409, 507)
    ),
    Operation(
        "POST",
        f"{_JOB}/finish",
        finish_job,
        "Stop learning and keep the best so far",
        JobView,
        errors=(409, 507),
    ),
    Operation(
        "POST",
        f"{_JOB}/move",
        move_job,
        "Put a waiting job before another, or last",
        JobView,
        body=TypeAdapter(MoveRequest),
        errors=(409, 507),
    ),
    Operation("GET", "/v1/queue", read_queue, "Whether jobs start, and which wait", QueueView),
    Operation(
        "PUT",
        "/v1/queue",
        set_queue,
        "Start jobs, hold them, or end the service after the running one",
        QueueView,
        body=TypeAdapter(QueueRequest),
        is_operators=True,
        errors=(507,),
    ),
    Operation(
        "GET", "/v1/tokens", list_tokens, "The artists with a token", TokenList, is_operators=True
    ),
    Operation(
        "POST",
        "/v1/tokens",
        add_token,
        "Make a token for an artist; it is said this once",
        NewToken,
        status=201,
        body=TypeAdapter(TokenRequest),
        is_operators=True,
        errors=(409, 507),
    ),
    Operation(
        "DELETE",
        "/v1/tokens/<artist:artist>",
        revoke_token,
        "Revoke an artist's token",
        Empty,
        is_operators=True,
        errors=(507,),
    ),
    Operation(
        "PUT",
        "/v1/tokens/<artist:artist>/limits",
        limit_artist,
        "Say how much an artist may have at once",
        TokenView,
        body=TypeAdapter(LimitsRequest),
        is_operators=True,
        errors=(507,),
    ),
    Operation(
        "GET",
        "/v1/stats",
        read_stats,
        "How many jobs ended how, and how long they took",
        StatsView,
        is_operators=True,
    ),
    Operation(
        "GET",
        "/v1/studio",
        read_studio,
        "Who works at what, and who waits for what",
        WorkloadView,
        is_operators=True,
    ),
    Operation(
        "GET",
        "/v1/events",
        read_events,
        "What happened since a cursor; waits for it if asked to",
        EventPage,
        query=EventsQuery,
    ),
    Operation("GET", "/v1/subjects", list_subjects, "All subjects, newest first", SubjectList),
    Operation("GET", _SUBJECT, get_subject, "One subject", SubjectView),
    Operation(
        "PATCH",
        _SUBJECT,
        rename_subject,
        "Call a subject otherwise",
        SubjectView,
        body=TypeAdapter(RenameRequest),
        errors=(409, 507),
    ),
    Operation("DELETE", _SUBJECT, trash_subject, "Move a subject to the trash", Empty),
    *EXCHANGE,
    *MODELS,
)
