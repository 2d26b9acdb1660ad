"""A local hub that serves one model and can simulate faults."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

COMMIT = "0" * 40


class Hub:
    """`files` by name. Of `stuck` only the first half is sent, until `go` is set. `status` other
    than 200 answers everything. `plain` has no checksum. `asked` keeps method, path and range of
    each request.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
        self.sizes = {name: len(content) for name, content in files.items()}
        self.status = 200
        self.stuck = ""
        self.plain = ""
        self.go = threading.Event()
        self.asked: list[tuple[str, str, str]] = []
        self.url = ""

    def description(self) -> bytes:
        siblings = [
            {
                "rfilename": name,
                "size": self.sizes[name],
            }
            | ({} if name == self.plain else {"lfs": self._pointer(name)})
            for name in self.files
        ]
        return json.dumps({"id": "a/b", "sha": COMMIT, "siblings": siblings}).encode()

    def _pointer(self, name: str) -> dict[str, object]:
        return {"sha256": self.sums[name], "size": self.sizes[name], "pointerSize": 100}


@contextmanager
def running(hub: Hub) -> Iterator[Hub]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(hub))
    hub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.go.set()
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(hub: Hub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *arguments: object) -> None:
            """Keep the tests' output clean."""

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def _answer(self, *, with_body: bool) -> None:
            wanted = self.headers.get("Range", "")
            hub.asked.append((self.command, self.path, wanted))
            name = self.path.partition("/resolve/")[2].partition("/")[2]
            if hub.status != 200 or (name and name not in hub.files):
                self._send(hub.status if hub.status != 200 else 404, b"{}", {}, with_body)
            elif not name:
                self._send(200, hub.description(), {}, with_body)
            else:
                self._send_file(name, wanted, with_body)

        def _send_file(self, name: str, wanted: str, with_body: bool) -> None:
            content = hub.files[name]
            start = int(wanted.removeprefix("bytes=").split("-")[0]) if wanted else 0
            headers = {"ETag": f'"{hub.sums[name]}"', "X-Repo-Commit": COMMIT}
            headers["Accept-Ranges"] = "bytes"
            if wanted:
                end = len(content) - 1
                headers["Content-Range"] = f"bytes {start}-{end}/{len(content)}"
            body = content[start:]
            half = len(body) // 2 if with_body and name == hub.stuck else len(body)
            self._send(206 if wanted else 200, body, headers, with_body, half)

        def _send(
            self,
            status: int,
            body: bytes,
            headers: Mapping[str, str],
            with_body: bool,
            at_once: int | None = None,
        ) -> None:
            self.send_response(status)
            for key, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(key, value)
            self.end_headers()
            if with_body:
                at_once = len(body) if at_once is None else at_once
                try:
                    self.wfile.write(body[:at_once])
                    self.wfile.flush()
                    if at_once < len(body):
                        hub.go.wait(600)
                    self.wfile.write(body[at_once:])
                except (BrokenPipeError, ConnectionResetError):
                    self.close_connection = True  # the other side was ended

    return Handler
