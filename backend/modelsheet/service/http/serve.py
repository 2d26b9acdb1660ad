"""Run the service process: the lock on the data folder, uvicorn on loopback, the connection file,
and the orderly end.
"""

from __future__ import annotations

import functools
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import modelsheet
from modelsheet.api.models import BaseModelView
from modelsheet.api.types import API_VERSION
from modelsheet.base_models.locate import list_base_models
from modelsheet.connection_file import (
    Connection,
    read_connection,
    remove_connection,
    write_connection,
)
from modelsheet.errors import Conflict, ModelsheetError
from modelsheet.operating_system import keep_new_files_private
from modelsheet.service.child_process import forbid_core_dumps
from modelsheet.service.executors.process_executor import ProcessExecutor
from modelsheet.service.executors.protocol import Executor, ReportHandler
from modelsheet.service.executors.ray.executor import Cluster, RayExecutor, namespace_of
from modelsheet.service.executors.watchdog import WatchdogLimits
from modelsheet.service.folder_lock import FolderLock
from modelsheet.service.http.app import create_app
from modelsheet.service.http.asgi import AsgiApp
from modelsheet.service.http.routes.operation_table import OPERATIONS
from modelsheet.service.http.uvicorn_server import HOST, HttpServer
from modelsheet.service.log_files import start_log
from modelsheet.service.missing_requirements import shortcomings
from modelsheet.service.scheduling.timeouts import Timings
from modelsheet.service.service import Service
from modelsheet.settings import Settings

_log = logging.getLogger(__name__)
DEFAULT_RUNNER = "modelsheet.worker.runner:make_runner"
_LONGEST_END_S = 30.0  # of a service that was told to end: its last checkpoint takes a while
_LOCK_RETRY_S = 0.2


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
    keep_new_files_private()
    forbid_core_dumps()
    settings.make_folders()
    with _exclusive_data_dir(settings) as write_owner:
        start_log(settings.log_dir, as_json=json_log)
        known = functools.partial(base_models, settings.data_dir)
        timings = timings or Timings()
        make_executor = functools.partial(_executor, settings, runner, timings, cluster)
        requirements = _remembered(shortcomings) if cluster is None else list
        service = _service(settings, make_executor, timings, known, requirements)
        app = AsgiApp(create_app(service), service, OPERATIONS, settings.threads)
        server = HttpServer(app, port, service.events.close)
        url = f"http://{HOST}:{server.port}"
        write_owner(url)
        with _end_on_signal(server):
            _run(service, server, settings, url)
        if service.has_failed:
            raise ModelsheetError(
                f"The service could not go on; {settings.log_dir} says why. Start it again."
            )


def _executor(
    settings: Settings,
    runner: str,
    timings: Timings,
    cluster: Cluster | None,
    on_report: ReportHandler,
) -> Executor:
    log_file = settings.log_dir / "worker.log"
    limits = WatchdogLimits(timings.quiet_s, timings.stall_s, timings.hang_s)
    if cluster is None:
        return ProcessExecutor(
            settings.data_dir, runner, log_file, on_report, limits, settings.idle_s
        )
    return RayExecutor(
        settings.data_dir,
        runner,
        log_file,
        on_report,
        cluster=cluster,
        namespace=namespace_of(settings.data_dir),
        limits=limits,
    )


def _remembered(compute: Callable[[], list[str]]) -> Callable[[], list[str]]:
    """Return `compute` with its result kept for a minute: each docker that connects asks for it."""

    @functools.lru_cache(maxsize=1)
    def result_in(minute: int) -> list[str]:
        return compute()

    return lambda: result_in(int(time.monotonic() // 60))


def _service(
    settings: Settings,
    make_executor: Callable[[ReportHandler], Executor],
    timings: Timings,
    base_models: Callable[[], Sequence[BaseModelView]],
    requirements: Callable[[], list[str]],
) -> Service:
    return Service(
        settings.data_dir,
        make_executor,
        base_models=base_models,
        shortcomings=requirements,
        timings=timings,
        idle_s=settings.idle_s,
        on_end=lambda: os.kill(os.getpid(), signal.SIGTERM),
    )


def _run(service: Service, server: HttpServer, settings: Settings, url: str) -> None:
    """Serve until the process is told to end, then close in order: waiting requests, running jobs,
    the database, the socket.
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
        _log.info("Modelsheet %s serves at %s", connection.version, url)
        write_connection(settings, connection)
        server.run()
    finally:
        remove_connection(settings, service.boot_id)
        server.close()
        service.stop()
        _log.info("Modelsheet has ended")


@contextmanager
def _exclusive_data_dir(settings: Settings) -> Iterator[Callable[[str], None]]:
    """Lock the data folder; yield a function that writes our address for a second service to read.

    Raises Conflict: another service has it, which the sentence names.
    """
    lock = FolderLock(settings.data_dir)
    owner = settings.data_dir / "service.owner"
    if not _acquire(lock, settings):
        known = owner.read_text(encoding="utf-8") if owner.is_file() else "just starting"
        raise Conflict(
            f"Another Modelsheet service ({known}) already uses the folder {settings.data_dir}. "
            "Use that one, or stop it first."
        )
    try:
        owner.unlink(missing_ok=True)
        yield lambda url: _write_owner(owner, url)
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _acquire(lock: FolderLock, settings: Settings) -> bool:
    """Acquire the lock, waiting for a service that is about to end; return False if one serves."""
    until = time.monotonic() + _LONGEST_END_S
    while True:
        if lock.acquire(_LOCK_RETRY_S):
            return True
        if read_connection(settings) is not None or time.monotonic() > until:
            return False


def _write_owner(owner: Path, url: str) -> None:
    owner.write_text(f"process {os.getpid()}, {url}", encoding="utf-8")


@contextmanager
def _end_on_signal(server: HttpServer) -> Iterator[None]:
    """End the server's loop on SIGTERM and Ctrl-C."""

    def end(number: int, frame: FrameType | None) -> None:
        server.should_exit = True

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
