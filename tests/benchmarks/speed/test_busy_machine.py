"""The benchmark beside busy processes: its arithmetic, its paired turns, and no process is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from modelsheet_benchmarks.speed.busy_machine import BusyStep, measure

# Answers each number of steps with so many seconds for each step.
_PRETENDED = "import sys\nfor line in sys.stdin: print(int(line) * {seconds}, flush=True)"


@pytest.fixture
def trainings() -> Iterator[list[subprocess.Popen[str]]]:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", _PRETENDED.format(seconds=seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for seconds in (6.0, 1.5)
    ]
    yield started
    for process in started:
        process.communicate()


@pytest.mark.parametrize("busy", [0, 2])
def test_a_step_s_seconds_and_the_ratio_to_the_first_version(
    trainings: list[subprocess.Popen[str]], busy: int, capsys: pytest.CaptureFixture[str]
) -> None:
    before, ours = trainings
    children = _children()

    step = measure(before, ours, busy, rounds=2, steps=3)

    assert step == BusyStep(busy, seconds_0_1=6.0, seconds=1.5, ratio=4.0)
    assert f"beside {busy} busy processes: 1.50 s a step" in capsys.readouterr().out
    assert _children() == children


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children()}
