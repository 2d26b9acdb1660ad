"""Environment variables and priority of worker processes: Hugging Face offline, telemetry off,
threads that leave room for the artist's other programs.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from modelsheet import operating_system

OFFLINE = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "DO_NOT_TRACK": "1",
    "ORT_DISABLE_TELEMETRY": "1",  # onnxruntime would send what it runs on which computer
    "TOKENIZERS_PARALLELISM": "false",
}
# An OpenMP thread that waits for another one spins by default: beside a busy program it then holds
# the core that the other one needs. GNU's and LLVM's OpenMP know the first variable, older ones of
# Intel (PyTorch on Windows) only the second.
_SLEEPING_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}
_WAITING_VARIABLES = frozenset({*_SLEEPING_THREADS, "GOMP_SPINCOUNT", "KMP_LIBRARY"})
_THREAD_COUNT_VARIABLES = frozenset({"OMP_NUM_THREADS", "MKL_NUM_THREADS"})
OPENMP_VARIABLES = _WAITING_VARIABLES | _THREAD_COUNT_VARIABLES
# By default glibc gives each thread memory of its own, which the others cannot use when it is free:
# the halves of a batch would take 25 to 70 MB more.
_SHARED_MEMORY = {"MALLOC_ARENA_MAX": "1"}
_NICENESS = 3  # half the share of a program with niceness 0


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a worker process: the given one, with what the worker needs.

    OpenMP's and glibc's variables that the user has set stay as they are.
    """
    added = dict(OFFLINE)
    if not _WAITING_VARIABLES & environment.keys():
        added |= _SLEEPING_THREADS
    if not _THREAD_COUNT_VARIABLES & environment.keys():
        added["OMP_NUM_THREADS"] = str(usable_cores())
    return {**_SHARED_MEMORY, **environment, **added}


def usable_cores() -> int:
    """Return the number of physical cores that this process may use; two threads on one core only
    hinder each other.
    """
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    return max(1, min(cores, operating_system.allowed_cores(), _container_cores()))


def _container_cores() -> int:
    """Return the cores of a Linux container's CPU quota (cgroup v2), sys.maxsize without one."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text("ascii").split()
        return max(1, round(int(quota) / int(period)))  # ValueError: the quota is "max"
    return sys.maxsize


def lower_priority() -> None:
    """Give way to the artist's other programs. Call it before threads are started."""
    operating_system.lower_priority(_NICENESS)
