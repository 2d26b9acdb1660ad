"""A real browser with a hostile page on another port of this machine: it gets nothing."""

from __future__ import annotations

import hashlib
import json
import os
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from modelsheet.service.auth.caller import OPERATOR
from modelsheet.service.http.app import create_app
from modelsheet.service.http.waitress_server import listen
from modelsheet.service.service import Service
from tests.service.scenarios.live import SHA
from tests.service.scheduling.test_dispatcher import learning, submit, wait_for_state

BROWSER = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chrome")
PAGE = Path(__file__).with_name("attack.html").read_text(encoding="utf-8")
_PATIENCE_S = 180.0
Answer = tuple[str, str, int]

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium")


class Recorder:
    """The application, and what it answered to whom."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self._app = app
        self.answers: list[Answer] = []
        self.allowed: list[str] = []

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        def noting(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            number = int(status.split()[0])
            self.answers.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], number))
            self.allowed += [name for name, _ in headers if name.startswith("Access-Control")]
            return start(status, headers, *rest)

        return self._app(environ, noting)


@contextmanager
def serving(service: Service) -> Iterator[tuple[int, Recorder]]:
    recorder = Recorder(create_app(service))
    server = listen(recorder, 0, 4)  # type: ignore[arg-type]  # any WSGI application will do
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield server.effective_port, recorder
    finally:
        # Inside the loop's own thread, which ends when nothing is left to look after.
        server.trigger.pull_trigger(lambda: server.asyncore.close_all(server._map, True))
        thread.join(_PATIENCE_S)
        server.task_dispatcher.shutdown()


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
    assert [view.id for view in service.jobs.newest(OPERATOR)] == [subject]
    assert hashlib.sha256(service.blobs.read(SHA)).hexdigest() == SHA
