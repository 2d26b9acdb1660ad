"""Limit what one caller may have under way, so that no caller takes every connection or thread."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from modelsheet.service.auth.caller import Caller
from modelsheet.service.http.problems import Refused


class CallerLimits:
    """The requests under way of each caller; None stands for all who brought no token."""

    def __init__(self, most_requests: int, most_threads: int) -> None:
        self._most_requests = most_requests
        self._most_threads = most_threads
        self._under_way: dict[Caller | None, int] = {}
        self._threads: dict[Caller | None, asyncio.Semaphore] = {}

    @contextmanager
    def request(self, caller: Caller | None) -> Iterator[asyncio.Semaphore]:
        """Count a request while it is under way; yield the semaphore of the caller's threads.

        Raises Refused: the caller has too many.
        """
        count = self._under_way.get(caller, 0)
        if count >= self._most_requests:
            sentence = f"You have {count} requests under way; try again when some are answered."
            raise Refused(429, sentence, code="busy")
        self._under_way[caller] = count + 1
        try:
            yield self._threads.setdefault(caller, asyncio.Semaphore(self._most_threads))
        finally:
            self._under_way[caller] -= 1
            if not self._under_way[caller]:
                del self._under_way[caller], self._threads[caller]
