"""A service inside the test's process, with the toy runner on a thread; and one of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from modelsheet.service.http.app import create_app
from modelsheet.service.scheduling.timeouts import Timings
from modelsheet.service.service import Service
from tests.service.executors.inline_executor import InlineExecutor
from tests.service.scenarios.cluster import ToyCluster
from tests.service.scenarios.live import PIXELS, LiveService
from tests.service.toy_runner import TOY_MODEL, make_runner


@pytest.fixture
def make_service(tmp_path: Path) -> Iterator[Callable[..., Service]]:
    """Starts a service with the given timings; it is stopped after the test."""
    made: list[Service] = []

    def make(**timings: float) -> Service:
        service = Service(
            tmp_path,
            lambda on_report: InlineExecutor(tmp_path, make_runner(tmp_path), on_report),
            base_models=lambda: [TOY_MODEL],
            timings=Timings(**timings),
        )
        service.blobs.write(PIXELS)
        service.start()
        made.append(service)
        return service

    yield make
    for service in made:
        service.stop()


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    return make_service()


@pytest.fixture
def client(service: Service) -> FlaskClient:
    """Speaks to the service with the right token and host."""
    client = create_app(service).test_client()
    client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {service.token}"
    client.environ_base["HTTP_HOST"] = "127.0.0.1:1234"
    return client


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Callable[..., LiveService]]:
    """Starts real services on one home; they are gone after the test."""
    started: list[LiveService] = []

    def start(**timings: float) -> LiveService:
        started.append(LiveService(tmp_path, **timings))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveService]:
    """One real service for all tests that leave it as it was."""
    with LiveService(tmp_path_factory.mktemp("shared")) as service:
        yield service
        assert service.stop() == 0


@pytest.fixture(scope="session")
def cluster() -> Iterator[ToyCluster]:
    """A Ray cluster of two GPUs, for all tests that leave it as it was."""
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'modelsheet[cluster]'")
    with tempfile.TemporaryDirectory() as home:
        cluster = ToyCluster(Path(home), nodes=2)
        try:
            yield cluster
        finally:
            cluster.close()
