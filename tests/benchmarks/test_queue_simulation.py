"""The queue simulation against what queueing theory and common sense know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelsheet.cli import main
from modelsheet_benchmarks.queue_simulation import (
    QueueSimulation,
    WorkloadModel,
    most_artists,
)

WORKLOAD = WorkloadModel(
    generate_s=4.0, learn_s=240.0, step_s=0.3, preempt_s=1.0, think_s=60.0, learn_every_s=7200.0
)
DAY_S = 86_400.0


def test_a_single_artist_waits_for_nobody() -> None:
    result = QueueSimulation(WORKLOAD, artists=1, gpus=2, seed=1).run(DAY_S)

    assert result.wait_s(0.95) <= WORKLOAD.step_s + WORKLOAD.preempt_s
    assert result.slowdown(0.5) < 1.2


def test_a_gpu_works_no_more_than_all_the_time() -> None:
    result = QueueSimulation(WORKLOAD, artists=60, gpus=2, seed=1).run(DAY_S)

    assert 0.95 <= result.busy_s / (0.9 * DAY_S * 2) <= 1.01


def test_learning_that_never_ends_is_counted() -> None:
    result = QueueSimulation(WORKLOAD, artists=200, gpus=1, seed=1).run(DAY_S)

    assert result.slowdown(0.95) > 50


def test_the_wait_of_a_crowd_is_that_of_a_closed_queue() -> None:
    """With many more artists than a GPU serves, each round takes artists * generate_s."""
    never = replace(WORKLOAD, learn_every_s=1e12)
    result = QueueSimulation(never, artists=100, gpus=1, seed=1).run(DAY_S)

    expected_s = 100 * never.generate_s - never.generate_s - never.think_s
    assert result.wait_s(0.5) == pytest.approx(expected_s, rel=0.1)


def test_more_gpus_and_more_patience_serve_more_artists() -> None:
    one, _ = most_artists(WORKLOAD, 1, wait_s=2.0, slowdown=4.0, seconds=DAY_S)
    patient, _ = most_artists(WORKLOAD, 1, wait_s=20.0, slowdown=9.0, seconds=DAY_S)
    eight, _ = most_artists(WORKLOAD, 8, wait_s=2.0, slowdown=4.0, seconds=DAY_S)

    assert 1 <= one <= patient
    assert eight > 8 * one  # they share what any one of them has to spare


def test_the_command_prints_a_row_for_each_number_of_gpus(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["capacity", "--gpus", "1", "2", "--waits", "5", "--gpu-hours", "10"]) == 0

    rows = capsys.readouterr().out.splitlines()
    assert [row.split("|")[1].strip() for row in rows] == ["GPUs", "---", "1", "2"]
