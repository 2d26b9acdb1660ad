"""The operations on base models: list them, add local ones; downloads are jobs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, TypeAdapter

from modelsheet.api.models import AddModelRequest, ModelList, ModelView
from modelsheet.api.system import Empty
from modelsheet.api.types import ApiModel
from modelsheet.base_models.manage import add_models, list_models, remove_user_model
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.service import Service


class ModelQuery(ApiModel):
    """The query of a model: `name` is that of an added model or installation."""

    name: Annotated[str, Field(max_length=200)] = ""


def read_models(service: Service, caller: Caller) -> ModelList:
    found = list_models(service.data_dir)
    if caller.is_operator:
        return found
    return ModelList(models=[_for_artists(one) for one in found.models])


def _for_artists(model: ModelView) -> ModelView:
    note = artists_note(model.note) if model.kind == "base" else model.note
    return model.model_copy(update={"path": "", "note": note})


def artists_note(note: str) -> str:
    """Return what an artist is told instead: the note names folders, and what to do there."""
    return note and "Ask who runs the backend about this model."


def add_model(service: Service, body: AddModelRequest) -> ModelList:
    return add_models(body, service.data_dir)


def remove_model(service: Service, query: ModelQuery) -> Empty:
    remove_user_model(query.name, service.data_dir)
    return Empty()


MODELS: tuple[Operation, ...] = (
    Operation(
        "GET", "/v1/models", read_models, "List the models with state, size and licence", ModelList
    ),
    Operation(
        "POST",
        "/v1/models",
        add_model,
        "Add a folder, a checkpoint or an installation of the service's machine",
        ModelList,
        status=201,
        body=TypeAdapter(AddModelRequest),
        operator_only=True,
        errors=(404, 409, 507),
    ),
    Operation(
        "DELETE",
        "/v1/models",
        remove_model,
        "Remove an added model from the list; its files stay",
        Empty,
        query=ModelQuery,
        operator_only=True,
        errors=(404, 507),
    ),
)
