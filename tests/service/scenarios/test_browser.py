"""A real browser with a hostile page on another port of this machine: it gets nothing."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.http.app import create_app
from modelsheet.service.http.asgi import AsgiApp
from modelsheet.service.http.routes.operation_table import OPERATIONS
from modelsheet.service.http.uvicorn_server import HttpServer
from modelsheet.service.http.wsgi import Receive, Scope, Send
from modelsheet.service.service import Service
from tests.service.scenarios.live import SHA
from tests.service.scheduling.test_dispatcher import learning, submit, wait_for_state

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
PAGE = Path(__file__).with_name("attack.html").read_text(encoding="utf-8")
_PATIENCE_S = 180.0
Answer = tuple[str, str, int]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


class Recorder(AsgiApp):
    """The application, and what it answered to whom."""

    def __init__(self, service: Service) -> None:
        super().__init__(create_app(service), service, OPERATIONS, threads=4)
        self.answers: list[Answer] = []
        self.allowed: list[bytes] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noting(message: Any) -> None:
            if message["type"] == "http.response.start":
                self.answers.append((scope["method"], scope["path"], message["status"]))
                names = [name.lower() for name, _ in message["headers"]]
                self.allowed += [name for name in names if name.startswith(b"access-control")]
            await send(message)

        await super().__call__(scope, receive, noting)


@contextmanager
def serving(service: Service) -> Iterator[tuple[int, Recorder]]:
    recorder = Recorder(service)
    server = HttpServer(recorder, 0, service.events.close)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.port, recorder
    finally:
        server.should_exit = True
        thread.join(_PATIENCE_S)
        server.close()


@contextmanager
def hostile(page: str) -> Iterator[tuple[int, queue.SimpleQueue[dict[str, str]]]]:
    """Serve the page from a port of its own; yields the port and what the page reports."""
    outcomes: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(204)
            self.end_headers()
            outcomes.put(json.loads(content))

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, outcomes
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_PATIENCE_S)


@contextmanager
def browsing(url: str, profile: Path) -> Iterator[None]:
    assert BROWSER is not None
    options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    options += ["--no-first-run", "--disable-background-networking", f"--user-data-dir={profile}"]
    options += ["--host-resolver-rules=MAP *.test 127.0.0.1", "--no-proxy-server"]
    process = subprocess.Popen(
        [BROWSER, *options, url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "HOME": str(profile)},
        start_new_session=True,
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def prepared(page: str, **values: object) -> str:
    for name, value in values.items():
        page = page.replace(f"@{name.upper()}@", str(value))
    return page


@pytest.mark.timeout(900)
@pytest.mark.parametrize("site", ["127.0.0.1", "evil.test"])
def test_a_web_page_gets_nothing_even_with_the_token(
    service: Service, tmp_path_factory: pytest.TempPathFactory, site: str
) -> None:
    subject = submit(service, learning())
    wait_for_state(service, subject, "done")
    with serving(service) as (port, recorder):
        page = prepared(PAGE, port=port, token=service.token, blob=SHA, subject=subject)
        with (
            hostile(page) as (own_port, outcomes),
            browsing(f"http://{site}:{own_port}/", tmp_path_factory.mktemp("profile")),
        ):
            outcome = outcomes.get(timeout=_PATIENCE_S)

    assert set(outcome.values()) == {"kept out"}, outcome
    assert len(outcome) == 15
    assert recorder.allowed == []
    assert len(recorder.answers) >= 10
    assert {status for _, _, status in recorder.answers} <= {400, 401, 403, 405}
    assert [one.id for one in service.subjects.all(OPERATOR)] == [subject]
    assert [view.id for view in service.jobs.page(OPERATOR).jobs] == [subject]
    assert hashlib.sha256(service.blobs.read(SHA)).hexdigest() == SHA
