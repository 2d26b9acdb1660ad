"""Running the service: folders, the lock on the data, waitress on loopback, the connection file,
and an orderly end.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from filelock import FileLock, Timeout

import modelsheet
from modelsheet.api.models import BaseModelView
from modelsheet.api.types import API_VERSION
from modelsheet.base_models.catalogue import list_base_models
from modelsheet.connection_file import (
    Connection,
    read_connection,
    remove_connection,
    write_connection,
)
from modelsheet.errors import Conflict, ModelsheetError
from modelsheet.service.executors.process import ProcessExecutor
from modelsheet.service.executors.protocol import Executor, Sink
from modelsheet.service.executors.ray.executor import Cluster, RayExecutor, namespace_of
from modelsheet.service.executors.watchdog import Patience
from modelsheet.service.http.app import create_app
from modelsheet.service.http.waitress_server import HOST, listen
from modelsheet.service.log_files import start_log
from modelsheet.service.requirements import shortcomings
from modelsheet.service.scheduling.dispatcher import Timings
from modelsheet.service.service import Service
from modelsheet.settings import Settings

_log = logging.getLogger(__name__)
DEFAULT_RUNNER = "modelsheet.worker.runner:make_runner"
_LONGEST_END_S = 30.0  # of a service that was told to end: its last checkpoint takes a while
_LOOK_EVERY_S = 0.2


def serve(
    settings: Settings,
    *,
    port: int = 0,
    runner: str = DEFAULT_RUNNER,
    timings: Timings | None = None,
    base_models: Callable[[Path], Sequence[BaseModelView]] = list_base_models,
    cluster: Cluster | None = None,
    json_log: bool = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C; port 0 takes a free one. Call it on the main thread. With a
    cluster, jobs run on its GPUs instead of a process of this machine. With `json_log`, the log has
    a JSON object in each line.

    Raises Conflict: another service has this data folder. ModelsheetError: it could not go on.
    """
    if os.name == "posix":
        os.umask(0o077)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with _only_service(settings) as note_address:
        start_log(settings.log_dir, as_json=json_log)
        known = functools.partial(base_models, settings.data_dir)
        timings = timings or Timings()
        make_executor = functools.partial(_executor, settings, runner, timings, cluster)
        lacking = shortcomings if cluster is None else list
        service = _service(settings, make_executor, timings, known, lacking)
        server = listen(create_app(service), port, settings.threads)
        url = f"http://{HOST}:{server.effective_port}"
        note_address(url)
        with _ending_on_signal(service.events.close):
            _run(service, server, settings, url)
        if service.has_failed:
            raise ModelsheetError(
                f"The service could not go on; {settings.log_dir} says why. Start it again."
            )


def _executor(
    settings: Settings, runner: str, timings: Timings, cluster: Cluster | None, sink: Sink
) -> Executor:
    log_file = settings.log_dir / "worker.log"
    patience = Patience(timings.quiet_s, timings.stall_s, timings.hang_s)
    if cluster is None:
        return ProcessExecutor(settings.data_dir, runner, log_file, sink, patience)
    return RayExecutor(
        settings.data_dir,
        runner,
        log_file,
        sink,
        cluster=cluster,
        namespace=namespace_of(settings.data_dir),
        patience=patience,
    )


def _service(
    settings: Settings,
    make_executor: Callable[[Sink], Executor],
    timings: Timings,
    base_models: Callable[[], Sequence[BaseModelView]],
    lacking: Callable[[], list[str]],
) -> Service:
    return Service(
        settings.data_dir,
        make_executor,
        base_models=base_models,
        shortcomings=lacking,
        max_waiters=max(1, settings.threads // 2),
        timings=timings,
        on_end=lambda: os.kill(os.getpid(), signal.SIGTERM),
    )


def _run(service: Service, server: Any, settings: Settings, url: str) -> None:
    """Serve until the process is told to end, then end in order: answers, checkpoint, ledger,
    socket.
    """
    connection = Connection(
        url=url,
        token=service.token,
        pid=os.getpid(),
        boot_id=service.boot_id,
        api=API_VERSION,
        version=modelsheet.__version__,
    )
    try:
        service.start()
        write_connection(settings, connection)
        _log.info("Modelsheet %s serves at %s", connection.version, url)
        server.run()
    finally:
        remove_connection(settings, service.boot_id)
        server.close()
        service.stop()
        _log.info("Modelsheet has ended")


@contextmanager
def _only_service(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Hold the data folder; yields a function that notes our address for whoever comes second.

    Raises Conflict, naming the one that has it.
    """
    lock = FileLock(settings.data_dir / "service.lock")
    owner = settings.data_dir / "service.owner"
    if not _acquired(lock, settings):
        known = owner.read_text(encoding="utf-8") if owner.is_file() else "just starting"
        raise Conflict(
            f"Another Modelsheet service ({known}) already uses the folder {settings.data_dir}. "
            "Use that one, or stop it first."
        )
    try:
        owner.unlink(missing_ok=True)
        yield lambda url: _note_owner(owner, url)
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _acquired(lock: FileLock, settings: Settings) -> bool:
    """Take the lock, waiting for one who is about to end; one who serves keeps it."""
    until = time.monotonic() + _LONGEST_END_S
    while True:
        with contextlib.suppress(Timeout):
            lock.acquire(timeout=_LOOK_EVERY_S)
            return True
        if read_connection(settings) is not None or time.monotonic() > until:
            return False


def _note_owner(owner: Path, url: str) -> None:
    owner.write_text(f"process {os.getpid()}, {url}", encoding="utf-8")


@contextmanager
def _ending_on_signal(answer_waiting: Callable[[], None]) -> Iterator[None]:
    """Make SIGTERM and Ctrl-C end waitress' loop, which first waits for the threads that still
    answer.
    """

    def end(number: int, frame: FrameType | None) -> None:
        answer_waiting()
        raise SystemExit(0)

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
