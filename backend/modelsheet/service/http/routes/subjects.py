"""The operations that take subjects out as LoRA files and in from them."""

from __future__ import annotations

from flask import Response
from pydantic import TypeAdapter

from modelsheet.api.subjects import ImportRequest, SubjectArchiveRequest, SubjectView
from modelsheet.api.types import Model
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.operations import BYTES, Operation
from modelsheet.service.service import Service
from modelsheet.subjects.lora_exchange import ExportFormat


class ExportQuery(Model):
    """`kohya` is what ComfyUI, A1111, Forge and Krita AI Diffusion load, `diffusers` as it was
    learnt; `embedding` is the identifier's own, where that was learnt too.
    """

    format: ExportFormat = "kohya"


def export_subject(
    service: Service, caller: Caller, subject_id: str, query: ExportQuery
) -> Response:
    name, content = service.export_subject(subject_id, query.format, caller)
    response = Response(content, content_type=BYTES)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def pack_subject(service: Service, caller: Caller, subject_id: str) -> Response:
    name, content = service.pack_subject(subject_id, caller)
    response = Response(content, content_type=BYTES)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def unpack_subject(service: Service, caller: Caller, body: SubjectArchiveRequest) -> SubjectView:
    return service.unpack_subject(body, caller)


def import_subject(service: Service, caller: Caller, body: ImportRequest) -> SubjectView:
    return service.import_subject(body, caller)


EXCHANGE: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/subjects",
        import_subject,
        "Make a subject of another program's LoRA file",
        SubjectView,
        status=201,
        body=TypeAdapter(ImportRequest),
        errors=(404, 507),
    ),
    Operation(
        "GET",
        "/v1/subjects/<uuid:subject_id>/adapter",
        export_subject,
        "A subject's LoRA file",
        None,
        query=ExportQuery,
    ),
    Operation(
        "GET",
        "/v1/subjects/<uuid:subject_id>/parcel",
        pack_subject,
        "A whole subject as a file for another Modelsheet",
        None,
    ),
    Operation(
        "POST",
        "/v1/parcels",
        unpack_subject,
        "Bring in a subject that another Modelsheet packed",
        SubjectView,
        status=201,
        body=TypeAdapter(SubjectArchiveRequest),
        errors=(404, 409, 507),
    ),
)
