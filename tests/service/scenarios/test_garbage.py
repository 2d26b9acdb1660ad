"""What strangers, bugs and cut lines send to the socket: never a 5xx, and the service stays."""

from __future__ import annotations

import socket
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from tests.service.scenarios.live import SHA, LiveService

PATH = f"/v1/blobs/{SHA}"
_PATIENCE_S = 180.0


@pytest.fixture
def say(shared: LiveService) -> Callable[..., bytes]:
    """Sends raw bytes and returns the whole answer, if any: it may come in several pieces."""

    def say(content: bytes, hang_up: bool = False) -> bytes:
        address = urlsplit(shared.url)
        place = address.hostname or "", address.port or 0
        with socket.create_connection(place, _PATIENCE_S) as line:
            line.sendall(content)
            if hang_up:
                return b""
            line.shutdown(socket.SHUT_WR)
            with line.makefile("rb") as answer:
                return answer.read()

    return say


def head(shared: LiveService, request: str, **headers: str) -> bytes:
    lines = [f"{request} HTTP/1.1", "Host: 127.0.0.1"]
    lines.append(f"Authorization: {shared.session.headers['Authorization']!s}")
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


@pytest.mark.parametrize(
    "content",
    [
        b"\0\1\2\3" * 100,
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\x16\x03\x01\x02\x00",
        b"\r\n",
    ],
)
def test_no_http_is_no_5xx(shared: LiveService, say: Callable[..., bytes], content: bytes) -> None:
    answer = say(content)

    assert b" 5" not in answer[:13]
    assert shared.get("/v1/ping") == {"ok": True, "proof": ""}


def test_a_body_of_2_gib_is_refused_before_it_is_sent(
    shared: LiveService, say: Callable[..., bytes]
) -> None:
    request = head(
        shared,
        f"PUT {PATH}",
        Content_Length=str(2 << 30),
        Content_Type="application/octet-stream",
    )

    answer = say(request)

    assert answer.startswith(b"HTTP/1.1 413 ")
    assert b"Content-Type: application/problem+json" in answer
    assert b'"code":"too-large"' in answer


def test_an_unknown_coding_is_refused_like_anything_else(
    shared: LiveService, say: Callable[..., bytes]
) -> None:
    answer = say(head(shared, f"PUT {PATH}", Transfer_Encoding="gzip"))

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"nosniff" in answer


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "18446744073709551616"])
def test_a_length_that_is_none_is_refused(
    shared: LiveService, say: Callable[..., bytes], length: str
) -> None:
    answer = say(head(shared, f"PUT {PATH}", Content_Length=length))

    assert b" 4" in answer[:13]


def test_one_who_hangs_up_in_the_middle_is_forgotten(
    shared: LiveService, say: Callable[..., bytes]
) -> None:
    for _ in range(20):
        say(head(shared, f"PUT {PATH}", Content_Length="1000") + b"x", hang_up=True)
        say(head(shared, "GET /v1/events?wait=10"), hang_up=True)

    assert shared.get("/v1/ping") == {"ok": True, "proof": ""}


def test_a_compressed_body_is_not_taken(shared: LiveService) -> None:
    headers = {"Content-Type": "application/octet-stream", "Content-Encoding": "gzip"}
    answer = shared.session.put(f"{shared.url}{PATH}", data=b"\x1f\x8b", headers=headers)

    assert answer.status_code == 415
