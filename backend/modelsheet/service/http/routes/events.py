"""The operation on events: a long poll with a cursor."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from pydantic import Field

from modelsheet.api.jobs import EventPage
from modelsheet.api.types import ApiModel
from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.routes.operation import JSON, Operation
from modelsheet.service.service import Service


class EventsQuery(ApiModel):
    """The query of events: `after` is the cursor of the last page, `wait` the seconds to wait for
    an event, `job` the only job whose events are returned.
    """

    after: Annotated[str, Field(pattern=r"^([0-9a-f]{16}:[0-9]{1,16})?$")] = ""
    wait: Annotated[float, Field(ge=0.0, le=15.0, allow_inf_nan=False)] = 0.0
    job: Annotated[str, Field(max_length=64)] = ""


async def read_events(service: Service, caller: Caller, query: EventsQuery) -> Response:
    if not query.job:  # a docker: its artist is about to work
        service.dispatcher.expect_jobs()
    page = await service.events.wait(query.after, query.wait, query.job or None, caller)
    return Response(page, content_type=JSON)


EVENTS: tuple[Operation, ...] = (
    Operation(
        "GET",
        "/v1/events",
        read_events,
        "Return the events after a cursor; wait for one if asked to",
        EventPage,
        query=EventsQuery,
    ),
)
