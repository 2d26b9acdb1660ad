"""Run a function on strangers' files in a process of its own: if it dies, the service goes on.

The process has limits of memory and time, leaves no core dump, and ends with the service.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import math
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import modelsheet
from modelsheet.errors import Busy, DiskFull, ModelsheetError, UnsafeModel, error_for, is_disk_full
from modelsheet.module_process import module_command, search_path
from modelsheet.operating_system import die_with_parent, process_options, set_limit
from modelsheet.service.executors.worker_main import take_over_pipes

_log = logging.getLogger(__name__)
_AT_ONCE = 2
_WAITING = 4  # more would hold the threads that answer others
_LOG_TAIL = 4000  # characters
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Limits:
    """Limits of a child process; `memory_bytes` counts its address space, which Linux enforces."""

    memory_bytes: int
    seconds: float = 60.0


class ChildProcesses:
    """Runs functions in child processes, a few at a time."""

    def __init__(self) -> None:
        self._admitted = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
        self._running = threading.BoundedSemaphore(_AT_ONCE)

    def run(self, function: Callable[..., Any], limits: Limits, **arguments: Any) -> Any:
        """Call a module's function with JSON values and return its JSON value.

        Raises the function's own ModelsheetError. UnsafeModel: it died, or exceeded a limit.
        DiskFull. Busy: too many others wait.
        """
        with self._slot():
            return _run(function, limits, arguments)

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._admitted.acquire(blocking=False):
            raise Busy("The service is reading other files. Try again in a minute.")
        try:
            with self._running:
                yield
        finally:
            self._admitted.release()


def _run(function: Callable[..., Any], limits: Limits, arguments: dict[str, Any]) -> Any:
    task = {"module": function.__module__, "name": function.__name__, "arguments": arguments}
    process = _spawn(limits)
    try:
        answer, errors = process.communicate(json.dumps(task).encode(), timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        raise UnsafeModel(
            f"Reading the file takes more than {limits.seconds:.0f} seconds; that is refused."
        ) from None
    finally:
        process.kill()
        process.communicate()
    if errors:
        _log.warning("Of a child process: %s", errors.decode(errors="replace")[-_LOG_TAIL:])
    if not answer:
        _log.warning("A child process died with status %s", process.returncode)
        raise UnsafeModel("The file is damaged: the program that reads it died of it.")
    content = json.loads(answer)
    if "code" in content:
        raise error_for(content["code"], content["sentence"])
    return content["result"]


def _spawn(limits: Limits) -> subprocess.Popen[bytes]:
    seconds = math.ceil(limits.seconds)
    return subprocess.Popen(
        module_command(__name__, str(os.getpid()), str(limits.memory_bytes), str(seconds)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(modelsheet.__file__).parents[1],
        env={**os.environ, **_ONE_THREAD, **search_path()},
        **process_options(),
    )


def forbid_core_dumps() -> None:
    """Let this process and its children leave no core dump, which would hold tokens and prompts.

    Collectors such as systemd's keep to the limit too. (PR_SET_DUMPABLE would also hide the open
    files from their owner's tools.)
    """
    set_limit("RLIMIT_CORE", 0)


def main() -> None:
    """Run `child_process PARENT_PID MEMORY_BYTES SECONDS` for a task on standard input."""
    parent, memory_bytes, seconds = (int(argument) for argument in sys.argv[1:4])
    die_with_parent(parent)
    forbid_core_dumps()
    set_limit("RLIMIT_AS", memory_bytes)
    set_limit("RLIMIT_CPU", seconds)
    tasks, answers = take_over_pipes()
    answers.write(json.dumps(_answer(json.loads(tasks.read()))).encode())
    answers.close()


def _answer(task: dict[str, Any]) -> dict[str, Any]:
    try:
        function = getattr(importlib.import_module(task["module"]), task["name"])
        return {"result": function(**task["arguments"])}
    except ModelsheetError as error:
        return {"code": error.code, "sentence": str(error)}
    except MemoryError:
        sentence = "Reading the file takes more memory than is allowed; that is refused."
        return {"code": UnsafeModel.code, "sentence": sentence}
    except OSError as error:
        if not is_disk_full(error):
            raise
        sentence = "The disk of the data folder is full; free some space and send it again."
        return {"code": DiskFull.code, "sentence": sentence}


if __name__ == "__main__":
    main()
