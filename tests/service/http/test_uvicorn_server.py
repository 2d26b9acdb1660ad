"""Connections that hold a place for nothing are closed, whatever they wait for."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from modelsheet.service.http import uvicorn_server
from modelsheet.service.http.app import create_app
from modelsheet.service.http.asgi import AsgiApp
from modelsheet.service.http.routes.operation_table import OPERATIONS
from modelsheet.service.http.uvicorn_server import HttpServer
from modelsheet.service.service import Service

_PATIENCE_S = 60.0


@pytest.fixture
def server(service: Service) -> Iterator[HttpServer]:
    """A server on a thread of this process."""
    app = AsgiApp(create_app(service), service, OPERATIONS, threads=2)
    server = HttpServer(app, 0, service.events.close)
    thread = threading.Thread(target=server.run)
    thread.start()
    yield server
    server.should_exit = True
    thread.join()
    server.close()


def connect(server: HttpServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), _PATIENCE_S)


@pytest.mark.parametrize("begun", [b"", b"GET /v1/pi", b"GET /v1/ping HTTP/1.1\r\nHost: x\r\n"])
def test_a_head_that_does_not_end_ends_its_connection(
    server: HttpServer, begun: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_server, "_HEAD_TIMEOUT_S", 0.05)
    with connect(server) as line:
        line.sendall(begun)

        assert line.recv(1) == b""


def test_a_reader_that_takes_nothing_is_closed(
    server: HttpServer, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uvicorn_server, "_STALLED_READER_S", 0.05)
    content = os.urandom(32 << 20)
    sha256 = service.blobs.write(content)
    with connect(server) as line:
        line.sendall(
            f"GET /v1/blobs/{sha256} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {service.token}\r\n\r\n".encode()
        )
        line.recv(1)
        while server.server_state.connections:
            time.sleep(0.01)

    assert not service.has_failed


def test_the_connection_that_was_idle_longest_makes_room(server: HttpServer) -> None:
    server.config.most_connections = 2  # type: ignore[attr-defined]
    with connect(server) as first, connect(server) as second:
        for line in (first, second):
            line.sendall(b"GET /v1/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            assert line.recv(1) == b"H"
        with connect(server) as third:
            while first.recv(1 << 16):
                pass  # what is left of the answer, then the end
            third.sendall(b"GET /v1/ping HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")

            assert third.recv(1) == b"H"
