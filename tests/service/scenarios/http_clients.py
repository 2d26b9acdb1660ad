"""Raw HTTP clients on one event loop: many of them on little processor time, and rude ones."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

PATIENCE_S = 60.0
_REOPEN_S = 1.0


@dataclass
class Tally:
    """Seconds that plain requests waited, and the requests that failed."""

    times_s: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def quantile(self, share: float) -> float:
        return sorted(self.times_s)[min(len(self.times_s) - 1, int(share * len(self.times_s)))]

    def __str__(self) -> str:
        if not self.times_s:
            return f"no answer, {len(self.failures)} failures"
        p50, p95, p99, longest = (self.quantile(one) * 1000 for one in (0.5, 0.95, 0.99, 1.0))
        return (
            f"{len(self.times_s)} requests: p50 {p50:.0f}, p95 {p95:.0f}, p99 {p99:.0f}, longest "
            f"{longest:.0f} ms; {len(self.failures)} failures"
        )


class RawClient:
    """One connection, kept open and opened again when the service closed it."""

    def __init__(self, url: str, token: str) -> None:
        address = urlsplit(url)
        self._host, self._port = address.hostname or "", address.port or 0
        self._token = token
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Return the status and the decoded JSON. Raises OSError, asyncio.TimeoutError."""
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n"
        head += f"Content-Type: application/json\r\nAuthorization: Bearer {self._token}\r\n\r\n"
        is_fresh = self._streams is None
        try:
            return await asyncio.wait_for(self._exchange(head.encode() + content), PATIENCE_S)
        except (OSError, asyncio.IncompleteReadError) as error:
            self.close()
            if is_fresh:
                raise OSError(str(error)) from error
            return await asyncio.wait_for(self._exchange(head.encode() + content), PATIENCE_S)

    async def timed(self, tally: Tally, method: str, path: str, body: object = None) -> Any:
        """Send a plain request and count how long its answer took; return its JSON, if any."""
        began = time.monotonic()
        try:
            status, answer = await self.request(method, path, body)
        except (OSError, asyncio.TimeoutError) as error:
            self.close()
            tally.failures.append(f"{method} {path}: {type(error).__name__} {error}")
            return None
        tally.times_s.append(time.monotonic() - began)
        if status >= 400:
            tally.failures.append(f"{method} {path}: {status} {answer}")
            return None
        return answer

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _exchange(self, request: bytes) -> tuple[int, Any]:
        if self._streams is None:
            self._streams = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._streams
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.close()
        return int(head[0].split()[1]), json.loads(body) if body else None


@asynccontextmanager
async def rude_clients(
    url: str, opening: bytes, count: int, *, drip_s: float | None = None, reads: bool = True
) -> AsyncIterator[None]:
    """Hold so many connections that send `opening`, then a byte each `drip_s`. Those that the
    service closes are opened again; who does not read does not notice.
    """
    tasks = [asyncio.ensure_future(_hold(url, opening, drip_s, reads)) for _ in range(count)]
    await asyncio.sleep(1.0)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _hold(url: str, opening: bytes, drip_s: float | None, reads: bool) -> None:
    address, loop = urlsplit(url), asyncio.get_running_loop()
    while True:
        with contextlib.suppress(OSError), socket.socket() as line:
            line.setblocking(False)
            await loop.sock_connect(line, (address.hostname, address.port))
            await loop.sock_sendall(line, opening)
            if not reads:
                await asyncio.sleep(24 * 3600.0)
            while await _hears(loop, line, drip_s):
                pass
        await asyncio.sleep(_REOPEN_S)


async def _hears(
    loop: asyncio.AbstractEventLoop, line: socket.socket, drip_s: float | None
) -> bool:
    """Read once, or send a byte if nothing comes; return False if the line is closed."""
    try:
        return bool(await asyncio.wait_for(loop.sock_recv(line, 1 << 16), drip_s))
    except asyncio.TimeoutError:
        await loop.sock_sendall(line, b"x")
        return True
