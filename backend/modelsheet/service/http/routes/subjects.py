"""The operations on subjects, their LoRA files and their archives."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import IO

from flask import Response, request
from pydantic import TypeAdapter

from modelsheet.api.learn import LearnRequest
from modelsheet.api.subjects import (
    ImportRequest,
    RenameRequest,
    SubjectArchiveRequest,
    SubjectList,
    SubjectView,
)
from modelsheet.api.system import Empty
from modelsheet.api.types import ApiModel
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.routes.operation import BYTES, Operation
from modelsheet.service.service import Service
from modelsheet.subjects.lora_exchange import ExportFormat


class ExportQuery(ApiModel):
    """The format of a LoRA file: `kohya` is what ComfyUI, A1111, Forge and Krita AI Diffusion load,
    `diffusers` as it was learnt; `embedding` is the identifier's own, where that was learnt too.
    """

    format: ExportFormat = "kohya"


def list_subjects(service: Service, caller: Caller) -> SubjectList:
    return SubjectList(subjects=service.subjects.all(caller))


def get_subject(service: Service, caller: Caller, subject_id: str) -> SubjectView:
    return service.subjects.get(caller, subject_id)


def rename_subject(
    service: Service, caller: Caller, subject_id: str, body: RenameRequest
) -> SubjectView:
    return service.subjects.rename(caller, subject_id, body.name)


def trash_subject(service: Service, caller: Caller, subject_id: str) -> Empty:
    service.subjects.trash(caller, subject_id)
    return Empty()


def export_subject(
    service: Service, caller: Caller, subject_id: str, query: ExportQuery
) -> Response:
    return _attachment(*service.subjects.export_lora(caller, subject_id, query.format))


def import_subject(service: Service, caller: Caller, body: ImportRequest) -> SubjectView:
    return service.subjects.import_lora(caller, body)


def add_unlearnt(service: Service, caller: Caller, body: LearnRequest) -> SubjectView:
    return service.add_unlearnt(caller, body)


def pack_subject(service: Service, caller: Caller, subject_id: str) -> Response:
    return _attachment(*service.subjects.export_archive(caller, subject_id))


def unpack_subject(service: Service, caller: Caller, body: SubjectArchiveRequest) -> SubjectView:
    return service.subjects.import_archive(caller, body)


def _attachment(name: str, content: IO[bytes]) -> Response:
    send = request.environ.get("wsgi.file_wrapper", _blocks)  # the server's sends without a thread
    response = Response(send(content), content_type=BYTES)
    response.content_length = content.seek(0, io.SEEK_END)
    response.direct_passthrough = True
    content.seek(0)
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response


def _blocks(content: IO[bytes]) -> Iterator[bytes]:
    with content:
        while block := content.read(1 << 20):
            yield block


_SUBJECT = "/v1/subjects/<uuid:subject_id>"
SUBJECTS: tuple[Operation, ...] = (
    Operation("GET", "/v1/subjects", list_subjects, "List all subjects, newest first", SubjectList),
    Operation("GET", _SUBJECT, get_subject, "Return a subject", SubjectView),
    Operation(
        "PATCH",
        _SUBJECT,
        rename_subject,
        "Rename a subject",
        SubjectView,
        body=TypeAdapter(RenameRequest),
        errors=(409, 507),
    ),
    Operation("DELETE", _SUBJECT, trash_subject, "Move a subject to the trash", Empty),
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
        "POST",
        "/v1/subjects/unlearnt",
        add_unlearnt,
        "Make a subject of pictures, to paint by them before it is learnt",
        SubjectView,
        status=201,
        body=TypeAdapter(LearnRequest),
        errors=(404, 409, 507),
    ),
    Operation(
        "GET",
        f"{_SUBJECT}/adapter",
        export_subject,
        "Export a subject as a LoRA file",
        None,
        query=ExportQuery,
    ),
    Operation(
        "GET",
        f"{_SUBJECT}/parcel",
        pack_subject,
        "Export a whole subject as an archive for another Modelsheet",
        None,
    ),
    Operation(
        "POST",
        "/v1/parcels",
        unpack_subject,
        "Import a subject from an archive of another Modelsheet",
        SubjectView,
        status=201,
        body=TypeAdapter(SubjectArchiveRequest),
        errors=(404, 409, 507),
    ),
)
