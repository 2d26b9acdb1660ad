"""The operations that list models and name more of them; downloads are jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from modelsheet.api.models import AddModelRequest, ModelList
from modelsheet.api.system import Empty
from modelsheet.api.types import Model
from modelsheet.base_models.listing import add_models, list_models, remove_user_model
from modelsheet.service.http.operations import Operation
from modelsheet.service.service import Service


class ModelQuery(Model):
    """`name` of a model or an installation that was added."""

    name: Annotated[str, Field(max_length=200)] = ""


def read_models(service: Service) -> ModelList:
    return list_models(service.data_dir)


def add_model(service: Service, body: AddModelRequest) -> ModelList:
    return add_models(body, service.data_dir)


def remove_model(service: Service, query: ModelQuery) -> Empty:
    remove_user_model(query.name, service.data_dir)
    return Empty()


MODELS: tuple[Operation, ...] = (
    Operation("GET", "/v1/models", read_models, "Models with state, size and licence", ModelList),
    Operation(
        "POST",
        "/v1/models",
        add_model,
        "Name a folder, a checkpoint or an installation of the service's machine",
        ModelList,
        status=201,
        body=TypeAdapter(AddModelRequest),
        is_operators=True,
        errors=(404, 409, 507),
    ),
    Operation(
        "DELETE",
        "/v1/models",
        remove_model,
        "Take what was named off the list; its files stay",
        Empty,
        query=ModelQuery,
        is_operators=True,
        errors=(404, 507),
    ),
)
