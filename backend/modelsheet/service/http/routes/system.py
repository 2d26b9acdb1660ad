"""The operations on the service itself: ping, capabilities."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelsheet.api.system import Capabilities, Ping
from modelsheet.api.types import ApiModel
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.routes.models import artists_note
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.service import Service


class PingQuery(ApiModel):
    """The query of a ping: `nonce` asks for a proof; `key` are the first digits of the sha256 of
    the token to prove.
    """

    key: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    nonce: Annotated[str, Field(pattern=r"^([0-9a-f]{16,128})?$")] = ""


def ping(service: Service, query: PingQuery) -> Ping:
    proof = service.access.prove(query.nonce, query.key) if query.nonce else ""
    return Ping(proof=proof)


def capabilities(service: Service, caller: Caller) -> Capabilities:
    found = service.capabilities()
    if caller.is_operator:
        return found
    models = [one.model_copy(update={"note": artists_note(one.note)}) for one in found.base_models]
    return found.model_copy(update={"base_models": models})


SYSTEM: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/ping",
        ping,
        "Check that the service answers, and that it knows the token",
        Ping,
        query=PingQuery,
        is_public=True,
    ),
    Operation(
        "GET",
        "/v1/capabilities",
        capabilities,
        "Return the service's version, models and limits",
        Capabilities,
    ),
)
