"""What one connection may hold, and what is refused before it is kept."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import requests

from tests.service.scenarios.live import SHA, LiveService, generate_request

_PATIENCE_S = 180.0
_LENGTH = 60_000_000


def connect(service: LiveService) -> socket.socket:
    address = urlsplit(service.url)
    return socket.create_connection((address.hostname or "", address.port or 0), _PATIENCE_S)


def head(service: LiveService, first: str, **headers: str) -> bytes:
    named = {
        "Host": "127.0.0.1",
        "Authorization": str(service.session.headers["Authorization"]),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = [f"{first} HTTP/1.1", *(f"{name}: {value}" for name, value in named.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def answer_to(service: LiveService, content: bytes) -> bytes:
    """Send without ending, and return all until the service closes the connection."""
    with connect(service) as line:
        line.sendall(content)
        with line.makefile("rb") as answer:
            return answer.read()


def head_of_answer(service: LiveService, content: bytes) -> bytes:
    """Send without ending, and return the head of the first answer."""
    with connect(service) as line:
        line.sendall(content)
        with line.makefile("rb") as answer:
            return b"".join(iter(answer.readline, b"\r\n"))


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.test"}, 400),
        ({"Origin": "http://evil.test"}, 403),
        ({"Authorization": "Bearer x"}, 401),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Length": str(1 << 30)}, 413),
    ],
    ids=str,
)
def test_a_body_is_refused_by_its_head(
    shared: LiveService, headers: dict[str, str], status: int
) -> None:
    asked = {"Content_Type": "application/octet-stream", "Content_Length": str(_LENGTH), **headers}

    answer = head_of_answer(shared, head(shared, f"PUT /v1/blobs/{SHA}", **asked) + b"x")

    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in answer


def test_more_json_than_the_limit_is_refused_in_chunks_too(shared: LiveService) -> None:
    asked = {"Content_Type": "application/json", "Transfer_Encoding": "chunked"}
    chunk = b"10000\r\n" + b" " * (1 << 16) + b"\r\n"

    answer = head_of_answer(shared, head(shared, "POST /v1/jobs", **asked) + chunk * 5)

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.skipif(os.name != "posix", reason="reads file handles")
def test_a_long_body_is_kept_in_the_data_folder(shared: LiveService) -> None:
    asked = {"Content_Type": "application/octet-stream", "Content_Length": str(_LENGTH)}
    before = unnamed_files(shared)
    with connect(shared) as line:
        line.sendall(head(shared, f"PUT /v1/blobs/{SHA}", **asked) + bytes(1 << 20))
        while not (found := unnamed_files(shared) - before):
            shared.get("/v1/queue")

    assert all(path.is_relative_to(shared.settings.data_dir) for path in found)


def unnamed_files(service: LiveService) -> set[Path]:
    """Return the open files that have no name any more."""
    found = set()
    for handle in Path(f"/proc/{service.process.pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            path = os.readlink(handle)
            if path.endswith(" (deleted)"):
                found.add(Path(path))
    return found


def test_two_lengths_end_the_connection(shared: LiveService) -> None:
    asked = {"Content_Length": "4", "Transfer_Encoding": "chunked"}
    second = head(shared, "GET /v1/ping")

    answer = answer_to(shared, head(shared, "POST /v1/jobs", **asked) + b"0\r\n\r\n" + second)

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("target", ["http://evil.test/v1/ping", "*"])
def test_a_target_that_is_no_path_is_refused(shared: LiveService, target: str) -> None:
    answer = answer_to(shared, head(shared, f"GET {target}"))

    assert answer.startswith(b"HTTP/1.1 400 ")


def test_pipelined_requests_are_answered_in_order(shared: LiveService) -> None:
    last = head(shared, "GET /v1/nothing", Connection="close")

    answer = answer_to(shared, head(shared, "GET /v1/ping") * 30 + last)

    statuses = [part[:3] for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert statuses == [b"200"] * 30 + [b"404"]


def test_a_revoked_token_ends_its_long_poll(shared: LiveService) -> None:
    token = shared.post("/v1/tokens", {"name": "leaver"}).json()["token"]
    header = {"Authorization": f"Bearer {token}"}
    cursor = requests.get(f"{shared.url}/v1/events", headers=header, timeout=180).json()["cursor"]
    answers: list[requests.Response] = []
    url = f"{shared.url}/v1/events?after={cursor}&wait=15"
    polling = threading.Thread(
        target=lambda: answers.append(requests.get(url, headers=header, timeout=180))
    )
    polling.start()

    shared.session.delete(f"{shared.url}/v1/tokens/leaver", timeout=180)
    polling.join(_PATIENCE_S)

    assert [answer.status_code for answer in answers] == [401]


@pytest.mark.skipif(os.name != "posix", reason="limits file handles")
def test_few_handles_are_enough_for_many_who_hold_connections(
    tmp_path: Path,
) -> None:
    with LiveService(tmp_path, handles=64) as service:
        lines = [connect(service) for _ in range(74)]
        for line in lines[::2]:
            line.sendall(b"GET /v1/ping HTTP/1.1\r\n")

        job = service.submit(generate_request())
        service.wait_for_state(job, "done")

        assert psutil.Process(service.process.pid).num_fds() < 64
        for line in lines:
            line.close()
        assert service.stop() == 0
        logs = "".join(log.read_text() for log in service.settings.log_dir.glob("service.log"))
        assert "Traceback" not in logs


def test_the_service_ends_though_somebody_polls_and_somebody_sends(
    live: Callable[..., LiveService],
) -> None:
    service = live()
    cursor = service.get("/v1/events")["cursor"]
    asked = {"Content_Type": "application/octet-stream", "Content_Length": str(_LENGTH)}
    with connect(service) as poll, connect(service) as upload:
        poll.sendall(head(service, f"GET /v1/events?after={cursor}&wait=15"))
        upload.sendall(head(service, f"PUT /v1/blobs/{SHA}", **asked) + b"x")
        service.get("/v1/ping")

        assert service.stop() == 0
        assert poll.recv(1 << 16).startswith(b"HTTP/1.1 200 ")
