"""Connection to the backend: one thread, interruptible long polls, no token for strangers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.plugin.binding import QApplication, QEvent, QObject
from tests.plugin.conftest import Until
from tests.plugin.fake_backend import TOKEN, FakeBackend

from modelsheet_krita.backend import client as http  # isort: skip
from modelsheet_krita.backend import connection_thread as connection_module  # isort: skip
from modelsheet_krita.errors import BackendDown, BackendRefused, RequestRefused  # isort: skip
from modelsheet_krita.backend.long_poll import SelectableEvent  # isort: skip
from modelsheet_krita.backend.connection_thread import BackendConnection  # isort: skip
from modelsheet_krita.backend.location import RemoteBackend  # isort: skip


@pytest.fixture
def connection(backend: FakeBackend) -> Iterator[BackendConnection]:
    connection = BackendConnection(RemoteBackend(http.Address(backend.url, TOKEN)))
    yield connection
    connection.close()


@pytest.fixture
def long_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls that last longer than the test's patience: what comes did not wait for one."""
    monkeypatch.setattr(http, "POLL_S", 600)
    monkeypatch.setattr(connection_module, "POLL_S", 600)


@pytest.fixture
def wakeup() -> Iterator[SelectableEvent]:
    wakeup = SelectableEvent()
    yield wakeup
    wakeup.close()


def connect(backend: FakeBackend, wakeup: SelectableEvent, token: str = TOKEN) -> http.Client:
    return http.Client(http.Address(backend.url, token), wakeup, lambda: None)


def is_polling(backend: FakeBackend) -> bool:
    return len(backend.headers_seen) > 0 and backend.headers_seen[-1]["path"] == "/v1/events"


def test_a_request_does_not_wait_for_the_long_poll(
    long_polls: None, connection: BackendConnection, backend: FakeBackend, until: Until
) -> None:
    connection.connect_now()
    until(lambda: connection.state.phase == "connected" and is_polling(backend))
    answers: list[Any] = []

    connection.request(lambda client: client.jobs(), answers.append, answers.append)
    until(lambda: answers)

    assert answers == [()]


class Ours(RemoteBackend):
    """A backend that may be stopped, as this computer's."""

    stopped = 0
    can_set_up = True

    def stop(self) -> None:
        self.stopped += 1


def test_a_stopped_backend_stays_stopped_until_connect_now(
    backend: FakeBackend, until: Until
) -> None:
    source = Ours(http.Address(backend.url, TOKEN))
    connection = BackendConnection(source)
    connection.connect_now()
    until(lambda: connection.state.phase == "connected")

    connection.stop_backend()

    until(lambda: connection.state.phase == "down")
    assert connection.state.sentence == "The backend is stopped. Try Again starts it."
    connection.request(lambda client: client.jobs(), lambda jobs: None, lambda trouble: None)
    assert source.stopped == 1
    connection.connect_now()
    until(lambda: connection.state.phase == "connected")
    connection.close()


def test_a_backend_of_another_version_is_updated_by_setting_up(
    backend: FakeBackend, until: Until
) -> None:
    backend.api, backend.version = "0.9", "0.0.9"
    source = Ours(http.Address(backend.url, TOKEN))
    connection = BackendConnection(source)

    connection.connect_now()
    until(lambda: connection.state.phase == "down")

    assert connection.state.sentence.startswith("The backend is version 0.0.9, older than this")
    assert connection.state.can_set_up
    connection.stop_backend()  # it has proved that it is ours: its files can be replaced then
    assert source.stopped == 1
    connection.close()


def test_another_computers_backend_of_another_version_is_not_set_up_here(
    connection: BackendConnection, backend: FakeBackend, until: Until
) -> None:
    backend.api, backend.version = "7.0", "99.0"

    connection.connect_now()
    until(lambda: connection.state.phase == "down")

    assert "older than the backend, 99.0" in connection.state.sentence
    assert not connection.state.can_set_up


def test_another_backend_is_connected_without_waiting_for_the_long_poll(
    long_polls: None, connection: BackendConnection, backend: FakeBackend, until: Until
) -> None:
    connection.connect_now()
    until(lambda: connection.state.phase == "connected" and is_polling(backend))

    connection.switch_to(RemoteBackend(http.Address(backend.url, "another")))

    until(lambda: connection.state.phase == "down")


def test_all_calls_are_on_one_thread_and_answers_on_the_main_one(
    connection: BackendConnection, until: Until
) -> None:
    threads: list[str] = []

    def note(*_: object) -> None:
        threads.append(threading.current_thread().name)

    for _ in range(3):
        connection.request(note, note, note)
    until(lambda: len(threads) == 6)

    assert sorted(set(threads)) == ["MainThread", "modelsheet-connection"]
    assert threads.count("modelsheet-connection") == 3


def test_no_long_poll_is_left_when_the_connection_closes(
    connection: BackendConnection, backend: FakeBackend, until: Until
) -> None:
    connection.connect_now()
    until(lambda: connection.state.phase == "connected" and is_polling(backend))

    connection.close()

    assert not connection._thread.is_alive()


def test_a_stranger_on_the_port_gets_no_token(
    backend: FakeBackend, wakeup: SelectableEvent
) -> None:
    client = connect(backend, wakeup, token="mine")

    with pytest.raises(BackendRefused, match="does not know the token"):
        client.prove()

    assert all("Authorization" not in headers for headers in backend.headers_seen)
    client.close()


def test_every_backend_must_prove_that_it_knows_the_token(
    backend: FakeBackend, until: Until
) -> None:
    connection = BackendConnection(RemoteBackend(http.Address(backend.url, "the artist's")))
    connection.connect_now()

    until(lambda: connection.state.phase == "down")

    assert "does not know the token" in connection.state.sentence
    assert {headers["path"] for headers in backend.headers_seen} == {"/v1/ping"}
    assert all("Authorization" not in headers for headers in backend.headers_seen)
    connection.close()


def test_the_token_is_never_sent(
    connection: BackendConnection, backend: FakeBackend, until: Until
) -> None:
    connection.connect_now()
    until(lambda: connection.state.phase == "connected")

    assert all(TOKEN not in headers.get("Authorization", "") for headers in backend.headers_seen)


def test_nothing_is_sent_over_http_to_another_computer(until: Until) -> None:
    connection = BackendConnection(RemoteBackend(http.Address("http://192.0.2.1:80", TOKEN)))
    connection.connect_now()

    until(lambda: connection.state.phase == "down")

    assert connection.state.sentence.startswith("Over http to another computer")
    connection.close()


def test_proxies_in_the_environment_do_not_catch_the_backend(
    backend: FakeBackend, wakeup: SelectableEvent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    client = connect(backend, wakeup)

    assert client.capabilities().api == backend.api
    client.close()


def test_a_picture_the_backend_has_is_not_sent_again(
    backend: FakeBackend, wakeup: SelectableEvent
) -> None:
    client = connect(backend, wakeup)
    first = client.put_blob(b"\1\2\3\4")
    assert backend.blobs == {first: b"\1\2\3\4"}
    backend.headers_seen.clear()

    second = client.put_blob(b"\1\2\3\4")

    assert second == first
    assert len(backend.headers_seen) == 1
    client.close()


def test_refusals_carry_the_backends_code(backend: FakeBackend, wakeup: SelectableEvent) -> None:
    client = connect(backend, wakeup)

    with pytest.raises(RequestRefused, match="no such blob") as caught:
        client.get_blob("0" * 64)

    assert caught.value.code == "not-found"
    client.close()


def test_no_backend_at_the_address(wakeup: SelectableEvent) -> None:
    client = http.Client(http.Address("http://127.0.0.1:9", TOKEN), wakeup, lambda: None)

    with pytest.raises(BackendDown, match=r"No backend answers at http://127\.0\.0\.1:9"):
        client.jobs()
    client.close()


def test_requests_are_refused_with_the_reason_when_no_backend_answers(until: Until) -> None:
    connection = BackendConnection(RemoteBackend(http.Address("http://127.0.0.1:9", TOKEN)))
    troubles: list[Exception] = []
    phases: list[str] = []  # what it is now may be the next try already
    owner = QObject()
    connection.subscribe(owner, state=lambda state: phases.append(state.phase))

    connection.request(lambda client: client.jobs(), lambda answer: None, troubles.append)
    until(lambda: troubles)

    assert isinstance(troubles[0], BackendDown)
    assert phases[:2] == ["looking", "down"]
    connection.close()


def test_an_exception_in_a_handler_is_reported_and_does_not_end_the_connection(
    connection: BackendConnection, until: Until
) -> None:
    told: list[str] = []
    owner = QObject()
    connection.subscribe(owner, error=told.append)

    connection.request(lambda client: 1, lambda answer: answer / 0, lambda error: None)
    until(lambda: told)
    answers: list[Any] = []
    connection.request(lambda client: 2, answers.append, lambda error: None)
    until(lambda: answers)

    assert "ZeroDivisionError" in told[0]


def test_an_exception_in_one_subscriber_keeps_no_news_from_the_next(
    connection: BackendConnection, until: Until
) -> None:
    owner = QObject()
    phases: list[str] = []
    connection.subscribe(owner, state=lambda state: 1 / 0)
    connection.subscribe(owner, state=lambda state: phases.append(state.phase))

    connection.connect_now()

    until(lambda: "connected" in phases)


def test_a_destroyed_owner_gets_no_more_news(connection: BackendConnection, until: Until) -> None:
    window, other = QObject(), QObject()
    gone: list[str] = []
    phases: list[str] = []
    connection.subscribe(window, state=lambda state: gone.append(state.phase))
    connection.subscribe(other, state=lambda state: phases.append(state.phase))

    window.deleteLater()
    QApplication.sendPostedEvents(window, QEvent.Type.DeferredDelete)
    connection.connect_now()

    until(lambda: "connected" in phases)
    assert gone == []
