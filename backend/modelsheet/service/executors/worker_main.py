"""The worker process: read commands from standard input, run jobs on the main thread, write reports
to standard output.

It ends with the service: the end of its input ends the process.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import os
import queue
import sys
import threading
from pathlib import Path
from typing import IO

from pydantic import BaseModel

from modelsheet.jobs.protocol import Runner, RunnerFactory
from modelsheet.operating_system import die_with_parent
from modelsheet.service.executors.environment import lower_priority
from modelsheet.service.executors.framing import read_frame, write_frame
from modelsheet.service.executors.job_context import LocalJobContext, execute_run
from modelsheet.service.executors.protocol import WORKER_COMMAND, Heartbeat, JobRun
from modelsheet.service.storage.blobs import BlobStore

_log = logging.getLogger(__name__)
_BEAT_INTERVAL_S = 1.0


class WorkerProcess:
    """The worker's side of the pipe."""

    def __init__(
        self, commands: IO[bytes], reports: IO[bytes], data_dir: Path, factory: str
    ) -> None:
        self._commands = commands
        self._reports = reports
        self._data_dir = data_dir
        self._factory = factory
        self._blobs = BlobStore(data_dir / "blobs")
        self._writing = threading.Lock()
        self._queue: queue.SimpleQueue[LocalJobContext] = queue.SimpleQueue()
        self._context: LocalJobContext | None = None
        self._runner: Runner | None = None

    def run(self) -> None:
        """Run jobs until the process ends."""
        threading.Thread(target=self._listen, name="commands", daemon=True).start()
        threading.Thread(target=self._beat, name="beat", daemon=True).start()
        self._import_runner()
        while True:
            context = self._queue.get()
            self._send(execute_run(context, self._warm_runner))

    def _import_runner(self) -> None:
        """Import torch and what jobs need, seconds long, before the first one comes."""
        try:
            self._warm_runner()
        except Exception:  # noqa: BLE001 - the first job reports it
            _log.exception("No runner could be made; the first job will tell")

    def _warm_runner(self) -> Runner:
        if self._runner is None:
            module, _, attribute = self._factory.partition(":")
            make_runner: RunnerFactory = getattr(importlib.import_module(module), attribute)
            self._runner = make_runner(self._data_dir)
        return self._runner

    def _listen(self) -> None:
        while (frame := read_frame(self._commands)) is not None:
            command = WORKER_COMMAND.validate_json(frame)
            if isinstance(command, JobRun):
                self._context = LocalJobContext(command, self._blobs, self._send)
                self._queue.put(self._context)
            elif self._context is not None and self._context.fence == command.fence:
                self._context.tell(command.directive)
        os._exit(0)  # the service has ended; there is no reader for reports

    def _beat(self) -> None:
        timer = threading.Event()
        while not timer.wait(_BEAT_INTERVAL_S):
            if self._context is not None:
                self._context.flush()
            self._send(Heartbeat())

    def _send(self, report: BaseModel) -> None:
        with self._writing:
            write_frame(self._reports, report.model_dump_json().encode())


def main() -> None:
    """Run `worker_main PARENT_PID DATA_DIR FACTORY`."""
    parent, data_dir, factory = sys.argv[1:4]
    die_with_parent(int(parent))
    lower_priority()
    commands, reports = take_over_pipes()
    faulthandler.enable()
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    WorkerProcess(commands, reports, Path(data_dir), factory).run()


def take_over_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """Return the pipes for commands and reports. From here on what a library prints goes to the
    log, and its standard input is empty.
    """
    commands, reports = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return os.fdopen(commands, "rb"), os.fdopen(reports, "wb")


if __name__ == "__main__":
    main()
