"""`modelsheet bench busy`: measure a learning step beside busy processes, with the worker's threads
and priority, and with those of version 0.1 (OpenMP's defaults, normal priority).

One process of each kind is kept; they take turns, a few steps each, so that another load on the
machine meets both.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.service.executors.environment import OFFLINE, OPENMP_VARIABLES, worker_environment
from modelsheet.settings import Settings
from modelsheet_benchmarks.console import print_line

_BUSY_LOOP = "while True: pass"


@dataclass(frozen=True)
class BusyStep:
    """Seconds of a step beside so many busy processes: medians of rounds. `ratio` is the median of
    the rounds' ratios, those of version 0.1 over ours: above 1 is better for us.
    """

    busy_processes: int
    seconds_0_1: float
    seconds: float
    ratio: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", default=DEFAULT_BASE_MODEL, help="(%(default)s)")
    parser.add_argument(
        "--busy", type=int, nargs="+", default=[0, 1, 2, 3], help="processes beside (%(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=5, help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=4, help="of each in a round (%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the seconds a step; return the exit code."""
    data_dir = Settings.from_environment(os.environ).data_dir
    plain = {name: value for name, value in os.environ.items() if name not in OPENMP_VARIABLES}
    with ExitStack() as stack:
        before = stack.enter_context(
            _training(arguments.base, data_dir, {**plain, **OFFLINE}, "normal")
        )
        ours = stack.enter_context(
            _training(arguments.base, data_dir, worker_environment(plain), "worker")
        )
        found = [
            measure(before, ours, busy, arguments.rounds, arguments.steps)
            for busy in arguments.busy
        ]
    if arguments.json:
        arguments.json.write_text(json.dumps([asdict(one) for one in found], indent=2) + "\n")
    return 0


def measure(
    before: subprocess.Popen[str], ours: subprocess.Popen[str], busy: int, rounds: int, steps: int
) -> BusyStep:
    """Let both take steps in turn beside `busy` processes, and print the result."""
    times = []
    with ExitStack() as stack:
        for _ in range(busy):
            stack.enter_context(_killed_at_end([sys.executable, "-c", _BUSY_LOOP], {}))
        for _ in range(rounds):
            times.append((_seconds_of(before, steps) / steps, _seconds_of(ours, steps) / steps))
    step = BusyStep(
        busy_processes=busy,
        seconds_0_1=median(one for one, _ in times),
        seconds=median(other for _, other in times),
        ratio=median(one / other for one, other in times),
    )
    print_line(
        f"beside {busy} busy processes: {step.seconds:.2f} s a step, version 0.1 "
        f"{step.seconds_0_1:.2f} s, ratio {step.ratio:.2f}"
    )
    return step


@contextmanager
def _training(
    base: str, data_dir: Path, environment: Mapping[str, str], priority: str
) -> Iterator[subprocess.Popen[str]]:
    """Start a process that trains when told, and wait until it is ready."""
    module = "modelsheet_benchmarks.speed.timed_steps"
    command = [sys.executable, "-m", module, base, str(data_dir), priority]
    environment = {**environment, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with _killed_at_end(command, environment, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", "the training process did not start"
        yield process


@contextmanager
def _killed_at_end(
    command: list[str], environment: Mapping[str, str], *, start_new_session: bool = False
) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        command,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=start_new_session,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _seconds_of(training: subprocess.Popen[str], steps: int) -> float:
    assert training.stdin is not None
    assert training.stdout is not None
    training.stdin.write(f"{steps}\n")
    training.stdin.flush()
    return float(training.stdout.readline())
