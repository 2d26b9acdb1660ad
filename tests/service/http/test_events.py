"""The route of events: a client that follows them makes the worker start."""

from __future__ import annotations

import time

import pytest
from flask.testing import FlaskClient

from modelsheet.service.service import Service
from tests.service.executors.inline_executor import InlineExecutor


def _times_prepared(service: Service) -> int:
    """Read the number after the dispatcher has gone round once more."""
    executor = service.dispatcher._executor
    assert isinstance(executor, InlineExecutor)
    service.dispatcher.wake()
    deadline = time.monotonic() + 30.0
    while not executor.prepared and time.monotonic() < deadline:
        time.sleep(0.01)
    return executor.prepared


def test_a_client_of_all_events_has_a_worker_started_once(
    client: FlaskClient, service: Service
) -> None:
    for _ in range(3):
        assert client.get("/v1/events").status_code == 200

    assert _times_prepared(service) == 1


@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/events?job=abc"])
def test_other_requests_start_no_worker(path: str, client: FlaskClient, service: Service) -> None:
    client.get(path)

    assert not service.dispatcher._is_expecting
