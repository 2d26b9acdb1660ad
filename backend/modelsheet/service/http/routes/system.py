"""The operations on the service itself: ping, capabilities, estimates, class nouns, events."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from modelsheet.api.describe_images import ClassNounList
from modelsheet.api.jobs import EventPage
from modelsheet.api.learn import Estimate, Preset
from modelsheet.api.system import Capabilities, Ping
from modelsheet.api.types import ApiModel, ModelId
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.service import Service


class PingQuery(ApiModel):
    """The query of a ping: `nonce` asks for a proof; `key` are the first digits of the sha256 of
    the token to prove.
    """

    key: Annotated[str, Field(pattern=r"^([0-9a-f]{16})?$")] = ""
    nonce: Annotated[str, Field(pattern=r"^([0-9a-f]{16,128})?$")] = ""


class EventsQuery(ApiModel):
    """The query of events: `after` is the cursor of the last page, `wait` the seconds to wait for
    an event, `job` the only job whose events are returned.
    """

    after: Annotated[str, Field(pattern=r"^([0-9a-f]{16}:[0-9]{1,16})?$")] = ""
    wait: Annotated[float, Field(ge=0.0, le=15.0, allow_inf_nan=False)] = 0.0
    job: Annotated[str, Field(max_length=64)] = ""


class ClassNounQuery(ApiModel):
    """The query of class nouns: the `base_model` to learn a subject on."""

    base_model: ModelId = DEFAULT_BASE_MODEL


class EstimateQuery(ApiModel):
    """The query of an estimate: the `base_model` and `preset` to learn a subject with."""

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


def read_events(service: Service, caller: Caller, query: EventsQuery) -> EventPage:
    return service.events.read(query.after, query.wait, query.job or None, caller)


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
    Operation(
        "GET",
        "/v1/estimate",
        estimate,
        "Estimate the time and memory of learning",
        Estimate,
        query=EstimateQuery,
        errors=(404,),
    ),
    Operation(
        "GET",
        "/v1/class-nouns",
        class_nouns,
        "List the class nouns that a base model knows",
        ClassNounList,
        query=ClassNounQuery,
        errors=(404,),
    ),
    Operation(
        "GET",
        "/v1/events",
        read_events,
        "Return the events after a cursor; wait for one if asked to",
        EventPage,
        query=EventsQuery,
    ),
)
