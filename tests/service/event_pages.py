"""Read pages of events from a service inside the test's process."""

from __future__ import annotations

import asyncio

from modelsheet.api.jobs import EventPage
from modelsheet.service.auth.caller import OPERATOR, Caller
from modelsheet.service.queue.events import EventLog


def read_page(
    log: EventLog,
    after: str = "",
    wait_s: float = 0.0,
    job_id: str | None = None,
    caller: Caller = OPERATOR,
) -> EventPage:
    """Return the page after a cursor, waiting for an event if asked to."""
    return EventPage.model_validate_json(asyncio.run(log.wait(after, wait_s, job_id, caller)))
