"""Dockers at work beside clients who would stop them: what each docker waited, and the memory."""

from __future__ import annotations

import asyncio
import hashlib
import random
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import psutil
import requests

from modelsheet.api.jobs import TERMINAL_STATES
from tests.service.scenarios.http_clients import RawClient, Tally, rude_clients
from tests.service.scenarios.live import SHA, LiveService, generate_request

BLOB_BYTES = 20 << 20
_POLL_S = 10
_REST_S = 5.0  # between two errands of a docker
_JOB_EVERY = 12  # errands: a job a minute
_SLOW_DRIP_S = 20.0
_LIST_WORDS = 2000


@dataclass(frozen=True)
class Crowd:
    """So many of each: dockers, idle strangers, clients who read nothing, strangers who upload,
    clients who list jobs without a pause.
    """

    dockers: int = 20
    idle: int = 0
    slow_readers: int = 0
    bodies: int = 0
    listers: int = 0


@dataclass
class Outcome:
    """Waits of the dockers' plain requests, jobs told done, the API process's memory in bytes."""

    tally: Tally = field(default_factory=Tally)
    jobs_done: int = 0
    peak_memory: int = 0
    processor_s: float = 0.0
    polls: int = 0


def run(service: LiveService, crowd: Crowd, seconds: float, rest_s: float = _REST_S) -> Outcome:
    """Let a crowd at a service for so long."""
    tokens = [_token(service, f"artist-{number}") for number in range(crowd.dockers)]
    return asyncio.run(_run(service, crowd, tokens, seconds, rest_s))


def _token(service: LiveService, name: str) -> str:
    answer = service.post("/v1/tokens", {"name": name})
    if answer.status_code == 409:  # of an earlier crowd
        service.session.delete(f"{service.url}/v1/tokens/{name}", timeout=60)
        answer = service.post("/v1/tokens", {"name": name})
    return str(answer.json()["token"])


async def _run(
    service: LiveService, crowd: Crowd, tokens: list[str], seconds: float, rest_s: float
) -> Outcome:
    outcome = Outcome()
    async with AsyncExitStack() as around:
        for opening, count, options in _rude(service, crowd):
            await around.enter_async_context(rude_clients(service.url, opening, count, **options))
        end = time.monotonic() + seconds
        process = psutil.Process(service.process.pid)
        used_s = sum(process.cpu_times()[:2])
        watch = asyncio.ensure_future(_watch_memory(service, outcome))
        dockers = [_Docker(service.url, token, outcome, rest_s) for token in tokens]
        operator = str(service.session.headers["Authorization"]).removeprefix("Bearer ")
        listers = [_list(service.url, operator, end) for _ in range(crowd.listers)]
        await asyncio.gather(*(docker.work_until(end) for docker in dockers), *listers)
        outcome.processor_s = sum(process.cpu_times()[:2]) - used_s
        watch.cancel()
    return outcome


def _rude(service: LiveService, crowd: Crowd) -> list[tuple[bytes, int, dict[str, Any]]]:
    """Return what each kind of rude client sends first, how many there are, and how they go on."""
    authorization = f"Authorization: {service.session.headers['Authorization']!s}\r\n"
    body_head = f"PUT /v1/blobs/{SHA} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 60000000\r\n"
    octets = "Content-Type: application/octet-stream\r\n"
    half_body = (body_head + octets + "\r\n").encode() + b"x" * 1000
    kinds: list[tuple[bytes, dict[str, Any]]] = [
        (b"", {}),
        (b"GET /v1/ping HTTP/1.1\r\nHost: 127.0.0.1\r\nX: ", {}),
        (b"GET /v1/ping HTTP/1.1\r\nX: ", {"drip_s": _SLOW_DRIP_S}),
        (half_body, {"drip_s": _SLOW_DRIP_S}),
    ]
    found = [(opening, crowd.idle // len(kinds), options) for opening, options in kinds]
    if crowd.slow_readers:
        sha256 = _upload(service, bytes(BLOB_BYTES))
        get = f"GET /v1/blobs/{sha256} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n".encode()
        found.append((get * 4, crowd.slow_readers, {"reads": False}))
    if crowd.bodies:
        foreign = (body_head + octets).replace("127.0.0.1", "evil.test").encode() + b"\r\n"
        found.append((foreign + bytes(BLOB_BYTES), crowd.bodies, {}))
    return found


def _upload(service: LiveService, content: bytes) -> str:
    sha256 = hashlib.sha256(content).hexdigest()
    headers = {"Content-Type": "application/octet-stream"}
    answer: requests.Response = service.session.put(
        f"{service.url}/v1/blobs/{sha256}", data=content, headers=headers, timeout=60
    )
    assert answer.ok, answer.text
    return sha256


async def _watch_memory(service: LiveService, outcome: Outcome) -> None:
    process = psutil.Process(service.process.pid)
    while True:
        outcome.peak_memory = max(outcome.peak_memory, process.memory_info().rss)
        await asyncio.sleep(0.2)


async def _list(url: str, token: str, end: float) -> None:
    client = RawClient(url, token)
    while time.monotonic() < end:
        await client.request("GET", "/v1/jobs")
    client.close()


class _Docker:
    """A docker: a poll that is always open, and errands on a second connection."""

    def __init__(self, url: str, token: str, outcome: Outcome, rest_s: float) -> None:
        self._polls, self._errands = RawClient(url, token), RawClient(url, token)
        self._outcome = outcome
        self._rest_s = rest_s
        self._jobs: set[str] = set()

    async def work_until(self, end: float) -> None:
        """Connect, then poll and run errands until the time is over."""
        await asyncio.sleep(random.uniform(0.0, self._rest_s))
        for path in ("/v1/capabilities", "/v1/jobs", "/v1/subjects"):
            await self._timed("GET", path)
        polling = asyncio.ensure_future(self._poll(end))
        number = random.randrange(_JOB_EVERY)
        while time.monotonic() < end:
            await self._errand(number)
            number += 1
            await asyncio.sleep(self._rest_s * random.uniform(0.5, 1.5))
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        self._polls.close()
        self._errands.close()

    async def _errand(self, number: int) -> None:
        if number % _JOB_EVERY:
            await self._timed("GET", "/v1/queue")
            return
        job = await self._timed("POST", "/v1/jobs", generate_request())
        if job is not None:
            self._jobs.add(job["id"])

    async def _timed(self, method: str, path: str, body: object = None) -> Any:
        return await self._errands.timed(self._outcome.tally, method, path, body)

    async def _poll(self, end: float) -> None:
        _, page = await self._polls.request("GET", "/v1/events")
        while time.monotonic() < end:
            path = f"/v1/events?after={page['cursor']}&wait={_POLL_S}"
            status, page = await self._polls.request("GET", path)
            assert status == 200, page
            self._outcome.polls += 1
            for event in page["events"]:
                job = event["job"]
                if job and job["id"] in self._jobs and job["state"] in TERMINAL_STATES:
                    self._jobs.discard(job["id"])
                    self._outcome.jobs_done += 1
            await asyncio.sleep(page["retry_ms"] / 1000)
