"""Load the service with many jobs and many clients.

`python -m tests.service.scenarios.load --jobs 500 --clients 12` says figures of the queue.
`… --dockers 200` says what so many dockers wait, alone or beside `--idle 500` strangers, `--slow-
readers 12`, `--bodies 12` of strangers and `--long-list 60` jobs of the largest answers.
Memory and open files of service and worker must stay flat, and no client may wait on another.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import socket
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import requests

from modelsheet.api.generate import GenerateRequest
from modelsheet.api.jobs import TERMINAL_STATES, Progress
from modelsheet.service.queue.job_store import MAX_QUEUED, JobStore
from tests.service.scenarios import crowds
from tests.service.scenarios.crowds import Crowd
from tests.service.scenarios.live import SHA, LiveService, generate_request, learn_request

Say = Callable[[str], None]
_BATCH = 50  # jobs that wait at once
_PATIENCE_S = 180.0
_DRIP_EVERY_S = 5.0


@dataclass(frozen=True)
class Footprint:
    """Of service and worker together; `memory` in bytes of resident set."""

    memory: int
    handles: int
    threads: int


@dataclass(frozen=True)
class Waiting:
    """Seconds that clients waited for an answer to a plain request."""

    times_s: list[float]

    @property
    def median_s(self) -> float:
        return statistics.median(self.times_s)

    @property
    def longest_s(self) -> float:
        return max(self.times_s)


@dataclass(frozen=True)
class Pace:
    """What the ledger and the API process get done in a second."""

    ledger: float  # jobs queued, straight into the ledger
    http: float  # jobs queued by one client
    progress: float  # reports of progress, straight into the ledger
    queue_s: float  # to read a queue of that many jobs, as the dispatcher does before each start


def pace(service: LiveService, jobs: int) -> Pace:
    """Queue so many jobs in a service that starts none, and as many in a ledger beside it."""
    assert service.session.put(f"{service.url}/v1/queue", json={"state": "held"}).ok
    began = time.monotonic()
    for _ in range(min(jobs, MAX_QUEUED)):
        service.submit(generate_request())
    http = min(jobs, MAX_QUEUED) / (time.monotonic() - began)
    request = GenerateRequest(prompt="a hill")
    ledger = JobStore(service.home / "another.sqlite3", lambda view: None)
    began = time.monotonic()
    queued = [ledger.submit(request, owner=f"artist-{number % 100}") for number in range(jobs)]
    straight = jobs / (time.monotonic() - began)
    began = time.monotonic()
    ledger.table.in_state("queued")
    queue_s = time.monotonic() - began
    running = ledger.start(queued[0].id)
    began = time.monotonic()
    for step in range(jobs):
        ledger.record_progress(running.id, running.fence, Progress(step=step, total=jobs))
    progress = jobs / (time.monotonic() - began)
    ledger.close()
    return Pace(straight, http, progress, queue_s)


def soak(service: LiveService, jobs: int) -> list[Footprint]:
    """Have so many jobs done; return the footprint after each batch of them."""
    prints = []
    for _ in range(jobs // _BATCH):
        ids = [service.submit(generate_request(count=2)) for _ in range(_BATCH)]
        service.wait_for_state(ids[-1], "done")
        prints.append(footprint(service))
    return prints


def footprint(service: LiveService) -> Footprint:
    main = psutil.Process(service.process.pid)
    processes = [main, *main.children()]
    return Footprint(
        sum(process.memory_info().rss for process in processes),
        sum(process.num_fds() for process in processes),
        sum(process.num_threads() for process in processes),
    )


def crowd(service: LiveService, clients: int, rounds: int) -> Waiting:
    """Let clients generate and poll at once, beside learning and one who never ends sending."""
    learn = service.submit(
        learn_request("slow", name=f"Load {uuid4()}", overrides={"training_steps": 20_000})
    )
    with _somebody_who_stalls(service), ThreadPoolExecutor(clients) as pool:
        times = list(pool.map(lambda _: _visit(service, rounds), range(clients)))
    service.post(f"/v1/jobs/{learn}/cancel")
    service.wait_for_state(learn, "cancelled")
    return Waiting([time_s for visit in times for time_s in visit])


def _visit(service: LiveService, rounds: int) -> list[float]:
    """Generate and follow the events to the end, as the docker does; return the waits."""
    times = []
    with requests.Session() as session:
        session.trust_env = False
        session.headers.update(service.session.headers)

        def timed(method: str, path: str, **options: object) -> requests.Response:
            began = time.monotonic()
            answer = session.request(method, f"{service.url}{path}", timeout=_PATIENCE_S, **options)
            times.append(time.monotonic() - began)
            assert answer.ok, answer.text
            return answer

        for _ in range(rounds):
            cursor = timed("GET", "/v1/events").json()["cursor"]
            job = timed("POST", "/v1/jobs", json=generate_request()).json()
            while job["state"] not in TERMINAL_STATES:
                query = f"after={cursor}&wait=2&job={job['id']}"
                page = session.get(f"{service.url}/v1/events?{query}", timeout=_PATIENCE_S).json()
                cursor = page["cursor"]
                time.sleep(page["retry_ms"] / 1000)
                job = timed("GET", f"/v1/jobs/{job['id']}").json()
            assert job["state"] == "done"
    return times


@contextmanager
def _somebody_who_stalls(service: LiveService) -> Iterator[None]:
    """Never end an upload, on as many lines as the service has threads; a byte now and then keeps
    them open.
    """
    address = urlsplit(service.url)
    head = f"PUT /v1/blobs/{SHA} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 99999\r\n\r\nx"
    with ExitStack() as at_the_end:
        lines = []
        for _ in range(service.settings.threads):
            place = address.hostname or "", address.port or 0
            line = at_the_end.enter_context(socket.create_connection(place, _PATIENCE_S))
            line.sendall(head.encode())
            lines.append(line)
        enough = threading.Event()
        drip = threading.Thread(target=_drip, args=(lines, enough))
        drip.start()
        at_the_end.callback(drip.join)
        at_the_end.callback(enough.set)
        yield


def _drip(lines: list[socket.socket], enough: threading.Event) -> None:
    while not enough.wait(_DRIP_EVERY_S):
        for line in lines:
            with contextlib.suppress(OSError):  # who was kept from running for a minute is cut off
                line.sendall(b"x")


def fill_list(service: LiveService, jobs: int) -> None:
    """Have so many jobs done whose results are as long as the API allows."""
    request = generate_request("a hill " + "x" * 1990, count=64, negative_prompt="y" * 2000)
    for _ in range(jobs):
        last = service.submit(request)
    service.wait_for_state(last, "done")


def measure_crowd(service: LiveService, crowd: Crowd, seconds: float, say: Say) -> None:
    """Say what the dockers of a crowd waited, and how much memory the API process took."""
    outcome = crowds.run(service, crowd, seconds)
    loads = ", ".join(f"{load:.1f}" for load in os.getloadavg())
    say(f"{crowd}: {outcome.tally}")
    say(
        f"  {outcome.polls} polls, {outcome.jobs_done} jobs told done; API process at most "
        f"{outcome.peak_memory / 2**20:.0f} MiB and {outcome.processor_s:.1f} s of a processor; "
        f"load average {loads}"
    )
    for failure in outcome.tally.failures[:5]:
        say(f"  {failure[:200]}")


def measure_queue(service: LiveService, jobs: int, clients: int, say: Say) -> None:
    """Say what queue, database and clients with jobs get done."""
    speed = pace(service, jobs)
    say(
        f"{speed.ledger:.0f} jobs a second into the ledger, {speed.http:.0f} over HTTP; "
        f"{speed.progress:.0f} reports of progress a second; reading a queue of them takes "
        f"{speed.queue_s * 1000:.0f} ms"
    )
    assert service.session.put(f"{service.url}/v1/queue", json={"state": "open"}).ok
    waiting = crowd(service, clients, rounds=5)
    say(
        f"{clients} clients, {len(waiting.times_s)} plain requests: "
        f"median {waiting.median_s * 1000:.0f} ms, longest {waiting.longest_s * 1000:.0f} ms"
    )
    for number, one in enumerate(soak(service, jobs), start=1):
        say(
            f"{number * _BATCH:5} jobs: {one.memory / 2**20:.1f} MiB, {one.handles} handles, "
            f"{one.threads} threads"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--clients", type=int, default=12)
    parser.add_argument("--dockers", type=int, default=0)
    parser.add_argument("--idle", type=int, default=0)
    parser.add_argument("--slow-readers", type=int, default=0)
    parser.add_argument("--bodies", type=int, default=0)
    parser.add_argument("--long-list", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    say: Say = functools.partial(print, flush=True)
    beside = Crowd(
        dockers=given.dockers or 20,
        idle=given.idle,
        slow_readers=given.slow_readers,
        bodies=given.bodies,
        listers=1 if given.long_list else 0,
    )
    with tempfile.TemporaryDirectory() as home, LiveService(Path(home)) as service:
        if given.long_list:
            fill_list(service, given.long_list)
        if given.dockers or beside != Crowd():
            measure_crowd(service, beside, given.seconds, say)
        else:
            measure_queue(service, given.jobs, given.clients, say)
        service.stop()


if __name__ == "__main__":
    main()
