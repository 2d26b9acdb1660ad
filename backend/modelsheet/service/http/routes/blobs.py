"""The operations on blobs: bytes stored under their sha256."""

from __future__ import annotations

import os
from typing import BinaryIO

from flask import Response, request
from werkzeug.wsgi import wrap_file

from modelsheet.api.blobs import BlobView
from modelsheet.errors import NotFound
from modelsheet.service.http.routes.operation import BYTES, Operation
from modelsheet.service.service import Service

_PART = 64 << 10  # bytes


def has_blob(service: Service, sha256: str) -> Response:
    size = service.blobs.size(sha256)
    if size is None:
        raise NotFound("There is no such blob; send it.")
    response = Response(content_type=BYTES)
    response.content_length = size
    return response


def get_blob(service: Service, sha256: str) -> Response:
    blob = service.blobs.open(sha256)
    parts = wrap_file(request.environ, blob, _PART)
    response = Response(parts, content_type=BYTES, direct_passthrough=True)
    response.content_length = os.fstat(blob.fileno()).st_size
    return response


def put_blob(service: Service, sha256: str, content: BinaryIO) -> BlobView:
    size = request.content_length or 0
    service.put_blob(sha256, content, size)
    return BlobView(sha256=sha256, size=size)


_BLOB = "/v1/blobs/<sha256:sha256>"
BLOBS: tuple[Operation, ...] = (
    # HEAD before GET: a GET route answers HEAD too, by reading the whole blob.
    Operation("HEAD", _BLOB, has_blob, "Check that a blob exists", None),
    Operation("GET", _BLOB, get_blob, "Return the bytes of a blob", None),
    Operation(
        "PUT",
        _BLOB,
        put_blob,
        "Store bytes under their sha256",
        BlobView,
        takes_bytes=True,
        errors=(409, 507),
    ),
)
