"""The operation that lists what characters can do."""

from __future__ import annotations

from modelsheet.api.animate import ActionList
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.service import Service


def actions(service: Service) -> ActionList:
    return service.actions()


ACTIONS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/actions",
        actions,
        "List the actions that a character can be animated in",
        ActionList,
    ),
)
