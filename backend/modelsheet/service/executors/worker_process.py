"""The worker process: reads orders from its standard input, runs jobs on its main thread, reports
on its output.

It lives as long as the service: the end of its input is the end of it.
"""

from __future__ import annotations

import contextlib
import ctypes
import faulthandler
import importlib
import logging
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from modelsheet.jobs.protocol import Runner, RunnerFactory
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.job_context import Attempt, carry_out
from modelsheet.service.executors.protocol import ORDER, Assignment, Beat
from modelsheet.service.storage.blobs import BlobStore

_BEAT_INTERVAL_S = 1.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Child:
    """The worker's side of the channel."""

    def __init__(self, orders: IO[bytes], reports: IO[bytes], data_dir: Path, factory: str) -> None:
        self._orders = orders
        self._reports = reports
        self._data_dir = data_dir
        self._factory = factory
        self._blobs = BlobStore(data_dir / "blobs")
        self._writing = threading.Lock()
        self._assignments: queue.SimpleQueue[Attempt] = queue.SimpleQueue()
        self._attempt: Attempt | None = None
        self._runner: Runner | None = None

    def run(self) -> None:
        """Carry out assignments for ever; only the end of the process ends it."""
        threading.Thread(target=self._listen, name="orders", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        while True:
            attempt = self._assignments.get()
            self._send(carry_out(attempt, self._warm_runner))

    def _warm_runner(self) -> Runner:
        if self._runner is None:
            module, _, attribute = self._factory.partition(":")
            make_runner: RunnerFactory = getattr(importlib.import_module(module), attribute)
            self._runner = make_runner(self._data_dir)
        return self._runner

    def _listen(self) -> None:
        while (frame := read_frame(self._orders)) is not None:
            order = ORDER.validate_json(frame)
            if isinstance(order, Assignment):
                self._attempt = Attempt(order, self._blobs, self._send)
                self._assignments.put(self._attempt)
            elif self._attempt is not None and self._attempt.fence == order.fence:
                self._attempt.tell(order.directive)
        os._exit(0)  # the service is gone; nobody would read what a tidy end had to say

    def _beat(self) -> None:
        pulse = threading.Event()
        while not pulse.wait(_BEAT_INTERVAL_S):
            if self._attempt is not None:
                self._attempt.flush()
            self._send(Beat())

    def _send(self, report: BaseModel) -> None:
        with self._writing:
            write_frame(self._reports, report.model_dump_json().encode())


def main() -> None:
    """Entry point: `child PARENT_PID DATA_DIR FACTORY`."""
    parent, data_dir, factory = sys.argv[1:4]
    die_with_parent(int(parent))
    orders, reports = take_over_pipes()
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    Child(orders, reports, Path(data_dir), factory).run()


def die_with_parent(parent: int) -> None:
    """End this process when the one that started it ends, however that ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(0)
        # When memory runs out, the system shall take the worker, whose job is resumed, not the
        # service.
        with contextlib.suppress(OSError):  # some containers do not let us say so
            Path("/proc/self/oom_score_adj").write_text("500")


def take_over_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Keep the channel for ourselves: what a library prints goes to the log, what it reads is
    empty.
    """
    orders, reports = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(orders, "rb"), os.fdopen(reports, "wb")


if __name__ == "__main__":
    main()
