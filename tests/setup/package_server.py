"""Serves a small package index on this computer, whose downloads stop where a test wants it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import threading
import zipfile
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def write_wheel(folder: Path, name: str, version: str, files: Mapping[str, bytes]) -> Path:
    """Write a wheel without dependencies that holds these files."""
    folder.mkdir(parents=True, exist_ok=True)
    about = f"{name}-{version}.dist-info"
    contents = {
        **files,
        f"{about}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},{_hash(data)},{len(data)}\n" for path, data in contents.items())
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for path, data in {**contents, f"{about}/RECORD": record.encode()}.items():
            archive.writestr(path, data)
    return wheel


def _hash(data: bytes) -> str:
    digest = hashlib.sha256(data).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class PackageServer:
    """The wheels of a folder as an index at `url`.

    `downloads` collects the names of the files that were sent whole. Of a package in `cut`, half is
    sent and the connection closed; of one in `held`, the rest is sent after `release`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.downloads: list[str] = []
        self.cut: set[str] = set()
        self.held: set[str] = set()
        self.is_holding = threading.Event()
        self.release = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_port}/simple"

    @contextlib.contextmanager
    def running(self) -> Iterator[PackageServer]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self.release.set()
            self._server.shutdown()
            thread.join()
            self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                name = self.path.rstrip("/").rpartition("/")[2]
                if name.endswith(".whl"):
                    index._send_wheel(self, name.replace("%2B", "+"))
                else:
                    index._send_page(self, name)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        return Handler

    def _send_page(self, request: BaseHTTPRequestHandler, package: str) -> None:
        wheels = [path.name for path in self._folder.glob(f"{package}-*.whl")]
        links = "".join(
            f'<a href="/files/{name.replace("+", "%2B")}">{name}</a>' for name in wheels
        )
        page = f"<!DOCTYPE html><html><body>{links}</body></html>".encode()
        _send_head(request, "text/html", len(page))
        request.wfile.write(page)

    def _send_wheel(self, request: BaseHTTPRequestHandler, name: str) -> None:
        content = (self._folder / name).read_bytes()
        package, half = name.partition("-")[0], len(content) // 2
        _send_head(request, "application/octet-stream", len(content))
        with contextlib.suppress(ConnectionError):
            request.wfile.write(content[:half])
            if package in self.cut:
                request.close_connection = True
                return
            if package in self.held:
                self.is_holding.set()
                self.release.wait(60)
            request.wfile.write(content[half:])
            self.downloads.append(name)


def _send_head(request: BaseHTTPRequestHandler, kind: str, size: int) -> None:
    request.send_response(200)
    request.send_header("Content-Type", kind)
    request.send_header("Content-Length", str(size))
    request.send_header("Cache-Control", "max-age=365000000, immutable")  # as PyPI has it
    request.end_headers()
