"""Find the service of this machine, or start one and wait until it answers."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from modelsheet.client.client import BackendClient
from modelsheet.connection_file import connection_path, read_connection
from modelsheet.errors import BackendUnreachable
from modelsheet.module_process import module_command
from modelsheet.operating_system import process_options
from modelsheet.settings import IDLE_MINUTES_VARIABLE, STARTED_IDLE_MINUTES, Settings

SERVE_COMMAND = module_command("modelsheet", "serve")
_START_TIMEOUT_S = 180.0
_POLL_INTERVAL_S = 0.05
_STOP_TIMEOUT_S = 30.0
_LOG_TAIL = 600  # characters of a failed service's output to show


def find_service(settings: Settings) -> BackendClient | None:
    """Return a client of the running service; None when none runs or it does not answer."""
    connection = read_connection(settings)
    if connection is None:
        return None
    client = BackendClient(connection.url, connection.token)
    try:
        client.verify_service()
        client.capabilities()
    except BackendUnreachable:
        client.close()
        return None
    return client


def connect(
    settings: Settings,
    *,
    environment: Mapping[str, str],
    start: bool = True,
    command: Sequence[str] = SERVE_COMMAND,
) -> BackendClient:
    """Return a client of the running service, which is started if none runs.

    A started service outlives this program until it is idle; `environment` is that of its process.
    Raises
    BackendUnreachable with the reason.
    """
    found = find_service(settings)
    if found is not None:
        return found
    if not start:
        raise BackendUnreachable("No service is running. Start one with: modelsheet serve")
    process = _spawn(settings, environment, command)
    try:
        return _wait_until_ready(settings, process)
    finally:
        if process.poll() is None:
            process.returncode = 0  # it outlives us: silences Popen's ResourceWarning


@contextlib.contextmanager
def running_service(
    settings: Settings, *, environment: Mapping[str, str], command: Sequence[str] = SERVE_COMMAND
) -> Iterator[BackendClient]:
    """Start a service that ends with the block, or use one that runs already and keeps running."""
    found = find_service(settings)
    if found is not None:
        with found:
            yield found
        return
    process = _spawn(settings, environment, command)
    try:
        with _wait_until_ready(settings, process) as client:
            yield client
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _spawn(
    settings: Settings, environment: Mapping[str, str], command: Sequence[str]
) -> subprocess.Popen[bytes]:
    """Start the service in a session of its own, so that Ctrl-C here does not end it."""
    settings.make_folders()
    with (settings.log_dir / "start.log").open("wb") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={IDLE_MINUTES_VARIABLE: STARTED_IDLE_MINUTES, **environment},
            **process_options(),
        )


def _wait_until_ready(settings: Settings, process: subprocess.Popen[bytes]) -> BackendClient:
    """Poll for the started service. Raises BackendUnreachable: it ended, or timed out."""
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline:
        # Polled before the search: a second service ends at once because the first one runs.
        has_ended = process.poll() is not None
        found = find_service(settings)
        if found is not None:
            return found
        if has_ended:
            raise BackendUnreachable(_exit_sentence(settings))
        time.sleep(_POLL_INTERVAL_S)
    raise BackendUnreachable(
        f"The service did not answer within {_START_TIMEOUT_S:.0f} s; {connection_path(settings)} "
        f"is not there or not right. Look into {settings.log_dir}."
    )


def _exit_sentence(settings: Settings) -> str:
    log = settings.log_dir / "start.log"
    tail = log.read_text(encoding="utf-8", errors="replace").strip()[-_LOG_TAIL:]
    output = f" Its last words: {tail}" if tail else ""
    return f"The service ended right after its start. Look into {settings.log_dir}.{output}"
