"""Workers' threads sleep while they wait, are as many as help, and give way."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from modelsheet.service.executors.environment import usable_cores, worker_environment

TELEMETRY = "ORT_DISABLE_TELEMETRY"


def test_threads_sleep_and_are_no_more_than_the_cores() -> None:
    environment = worker_environment({"PATH": "/bin"})

    assert environment["OMP_WAIT_POLICY"] == "PASSIVE"
    assert environment["KMP_BLOCKTIME"] == "0"
    assert environment["OMP_NUM_THREADS"] == str(usable_cores())
    assert environment["PATH"] == "/bin"


@pytest.mark.parametrize(
    "own",
    [
        {"OMP_WAIT_POLICY": "ACTIVE"},
        {"GOMP_SPINCOUNT": "1000"},
        {"KMP_BLOCKTIME": "200"},
        {"OMP_NUM_THREADS": "7"},
        {"MKL_NUM_THREADS": "7"},
    ],
)
def test_what_the_user_has_set_stays_and_is_not_contradicted(own: dict[str, str]) -> None:
    environment = worker_environment(own)

    [name] = own
    assert environment[name] == own[name]
    is_count = "NUM_THREADS" in name
    assert ("OMP_WAIT_POLICY" in environment) is (is_count or name == "OMP_WAIT_POLICY")
    assert ("OMP_NUM_THREADS" in environment) is (not is_count or name == "OMP_NUM_THREADS")


def test_threads_share_what_memory_is_free() -> None:
    assert worker_environment({})["MALLOC_ARENA_MAX"] == "1"
    assert worker_environment({"MALLOC_ARENA_MAX": "8"})["MALLOC_ARENA_MAX"] == "8"


def test_onnxruntime_tells_nobody_in_a_worker(tmp_path: Path) -> None:
    given = {name: value for name, value in os.environ.items() if name not in ("CI", TELEMETRY)}
    environment = worker_environment(
        {**given, "HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)}
    )
    environment.pop("XDG_CACHE_HOME", None)

    subprocess.run([sys.executable, "-c", "import onnxruntime"], env=environment, check=True)

    assert environment[TELEMETRY] == "1"
    assert list(tmp_path.iterdir()) == [], "no number of this computer, nothing to send"


def test_no_user_setting_puts_a_worker_online() -> None:
    assert worker_environment({"HF_HUB_OFFLINE": "0"})["HF_HUB_OFFLINE"] == "1"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads Linux's affinity")
def test_a_process_bound_to_one_core_gets_one_thread() -> None:
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]);"
        "from modelsheet.service.executors.environment import usable_cores; print(usable_cores())"
    )

    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "1"


@pytest.mark.skipif(os.name != "posix", reason="niceness is POSIX's")
@pytest.mark.parametrize(("before", "after"), [(0, 3), (10, 10)])
def test_all_threads_of_a_worker_are_nicer_and_none_less_nice_than_before(
    before: int, after: int
) -> None:
    code = (
        "import os, threading; from modelsheet.service.executors import environment;"
        f"os.setpriority(os.PRIO_PROCESS, 0, {before}); environment.lower_priority();"
        "print(os.getpriority(os.PRIO_PROCESS, 0), flush=True);"
        "thread = threading.Thread(target=lambda: print(os.getpriority(os.PRIO_PROCESS, 0)));"
        "thread.start(); thread.join()"
    )

    printed = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert printed.split() == [str(after)] * 2
