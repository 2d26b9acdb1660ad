"""Build the OpenAPI 3.1 document from the table of operations.

`python -m modelsheet.service.http.openapi FILE` writes it.
"""

from __future__ import annotations

import json
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter

from modelsheet.api.jobs import JobView
from modelsheet.api.problems import Problem
from modelsheet.api.subjects import SubjectView
from modelsheet.api.types import API_VERSION
from modelsheet.service.http.problems import MEDIA_TYPE
from modelsheet.service.http.routes.operation import BYTES, JSON, Operation
from modelsheet.service.http.routes.operation_table import OPERATIONS

# Any: the document is free-form JSON, and pydantic's schemas come as dict[str, Any].
Node = dict[str, Any]
_REF = "#/components/schemas/{model}"
_UUID: Node = {"type": "string", "format": "uuid"}
_SHA256: Node = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_ARTIST: Node = {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,39}$"}
_PART_SCHEMAS = {"job_id": _UUID, "subject_id": _UUID, "sha256": _SHA256, "artist": _ARTIST}
_CREATED: dict[type[BaseModel] | None, str] = {JobView: "job_id", SubjectView: "subject_id"}
_ALWAYS = (400, 403)
_KEY: Node = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key with the same request makes one job, however often it is sent.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,200}$"},
}


def document(operations: tuple[Operation, ...] = OPERATIONS) -> Node:
    """Return the OpenAPI document of the operations."""
    schemas, definitions = _schemas(operations)
    paths: Node = {}
    for operation in operations:
        node = _node(operation, schemas)
        node["responses"][str(operation.status)] |= _links(operation, operations)
        paths.setdefault(operation.path, {})[operation.method.lower()] = node
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Modelsheet",
            "version": API_VERSION,
            "description": "Learn a subject from layers and paint it. Loopback only, with a token.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _schemas(operations: tuple[Operation, ...]) -> tuple[dict[object, Node], Node]:
    """Return the schema of each model or adapter used, and the definitions they refer to."""
    models = {model for o in operations for model in (o.output, o.query, Problem) if model}
    adapters: list[tuple[type[BaseModel] | str, TypeAdapter[Any]]] = [
        (model, TypeAdapter(model)) for model in sorted(models, key=lambda model: model.__name__)
    ]
    adapters += [(o.name, o.body) for o in operations if o.body is not None]
    keyed, common = TypeAdapter.json_schemas(
        [(key, "validation", adapter) for key, adapter in adapters], ref_template=_REF
    )
    return {key: schema for (key, _), schema in keyed.items()}, common["$defs"]


def _node(operation: Operation, schemas: dict[object, Node]) -> Node:
    node: Node = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(
            operation,
            schemas,
        )
        + ([_KEY] if operation.takes_key else []),
        "responses": _responses(operation, schemas),
    }
    if operation.is_public:
        node["security"] = []
    if operation.body is not None:
        content = {JSON: {"schema": schemas[operation.name]}}
        node["requestBody"] = {"required": True, "content": content}
    elif operation.takes_bytes:
        schema = {"type": "string", "format": "binary"}
        node["requestBody"] = {"required": True, "content": {BYTES: {"schema": schema}}}
    return node


def _parameters(operation: Operation, schemas: dict[object, Node]) -> list[Node]:
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _PART_SCHEMAS[name]}
        for name in operation.path_parameters
    ]
    if operation.query is None:
        return in_path
    fields = operation.query.model_json_schema(ref_template=_REF)
    return in_path + [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in fields["properties"].items()
    ]


def _responses(operation: Operation, schemas: dict[object, Node]) -> Node:
    success: Node = {"description": HTTPStatus(operation.status).phrase}
    if operation.output is not None:
        success["content"] = {JSON: {"schema": schemas[operation.output]}}
    elif operation.method != "HEAD":
        success["content"] = {BYTES: {"schema": {"type": "string", "format": "binary"}}}
    responses: Node = {str(operation.status): success}
    for status in sorted(_failures(operation)):
        responses[str(status)] = _failure(HTTPStatus(status).phrase, schemas, operation)
    responses["default"] = _failure("Any other problem", schemas, operation)
    return responses


def _links(operation: Operation, operations: tuple[Operation, ...]) -> Node:
    """Return OpenAPI links from the job or subject that an operation creates to its operations."""
    part = _CREATED.get(operation.output)
    if part is None or operation.path_parameters:
        return {}
    follow_ups = [other.name for other in operations if other.path_parameters == [part]]
    parameters = {part: "$response.body#/id"}
    links = {name: {"operationId": name, "parameters": parameters} for name in follow_ups}
    return {"links": links}


def _failures(operation: Operation) -> set[int]:
    failures = {*operation.errors, *_ALWAYS, 422}
    if not operation.is_public:
        failures.add(401)
    if operation.path_parameters:
        failures.add(404)
    if operation.body is not None or operation.takes_bytes:
        failures |= {413, 415}
    return failures


def _failure(description: str, schemas: dict[object, Node], operation: Operation) -> Node:
    if operation.method == "HEAD":
        return {"description": description}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schemas[Problem]}}}


def write(target: Path) -> None:
    """Write the document as the repository has it."""
    target.write_text(json.dumps(document(), indent=1, sort_keys=True) + "\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
