"""Small networks compute with as many threads as help, and always with the same number; or halves
of a batch by two.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from modelsheet import operating_system
from modelsheet.diffusion.models import cpu_threads
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.cpu_threads import (
    FILE,
    AdaptiveRunner,
    halves_batches,
    threads_for,
)


@pytest.fixture(autouse=True)
def _same_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def base(device: str = "cpu", *, is_small: bool) -> BaseModel:
    return cast(BaseModel, SimpleNamespace(is_small=is_small, device=torch.device(device)))


SMALL, LARGE = base(is_small=True), base(is_small=False)


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    calls: list[int] = []

    def measure(most: int) -> int:
        calls.append(most)
        return 1

    monkeypatch.setattr(cpu_threads, "_measure", measure)
    return calls


def test_it_is_measured_once_and_remembered(tmp_path: Path, measured: list[int]) -> None:
    assert [threads_for(SMALL, 4, tmp_path) for _ in range(3)] == [1, 1, 1]
    assert measured == [4]
    threads_for(SMALL, 8, tmp_path)  # another computer, or another setting
    assert measured == [4, 8]


@pytest.mark.parametrize(
    ("model", "most"), [(LARGE, 4), (base("cuda", is_small=True), 4), (SMALL, 1)]
)
def test_others_take_all(model: BaseModel, most: int, tmp_path: Path, measured: list[int]) -> None:
    assert threads_for(model, most, tmp_path) == most
    assert measured == []


@pytest.mark.parametrize("content", ["", "[]", '{"?": 1}', "{", None])
def test_a_file_that_cannot_be_used_is_written_anew(
    content: str | None, tmp_path: Path, measured: list[int]
) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    folder = tmp_path if content is not None else tmp_path / "missing"
    assert threads_for(SMALL, 4, folder) == 1
    assert (folder / FILE).is_file() is (content is not None)


def test_a_number_out_of_range_is_measured_again(tmp_path: Path, measured: list[int]) -> None:
    threads_for(SMALL, 4, tmp_path)
    (tmp_path / FILE).write_text((tmp_path / FILE).read_text().replace(": 1", ": 99"))
    assert threads_for(SMALL, 4, tmp_path) == 1
    assert measured == [4, 4]


@pytest.mark.parametrize(
    ("seconds", "best"),
    [
        ({1: 4.0, 2: 3.2, 4: 3.1}, 1),
        ({1: 4.0, 2: 2.5, 4: 2.4}, 2),
        ({1: 4.0, 2: 4.2, 4: 1.5}, 4),
    ],
)
def test_more_threads_are_taken_where_they_gain_enough(
    seconds: dict[int, float], best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock: Any = {"now": 0.0, "threads": 0}

    def block() -> None:
        clock["now"] += seconds[clock["threads"]]

    monkeypatch.setattr(torch, "set_num_threads", lambda count: clock.update(threads=count))
    monkeypatch.setattr(cpu_threads, "_block", block)
    monkeypatch.setattr(
        cpu_threads, "time", SimpleNamespace(perf_counter=lambda: float(clock["now"]))
    )

    assert cpu_threads._measure(4) == best
    assert clock["threads"] == 4


def test_the_real_measurement_ends_with_all_threads() -> None:
    assert cpu_threads._measure(2) in (1, 2)
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize(
    ("model", "threads", "cores", "are_halved"),
    [
        (SMALL, 1, 2, True),
        (SMALL, 1, 1, False),
        (SMALL, 2, 2, False),
        (LARGE, 1, 2, False),
        (base("cuda", is_small=True), 1, 2, False),
    ],
)
def test_batches_of_small_networks_are_halved_where_one_thread_leaves_a_core(
    model: BaseModel, threads: int, cores: int, are_halved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
    torch.set_num_threads(threads)

    assert halves_batches(model) is are_halved


@pytest.mark.parametrize(
    ("variable", "cores", "are_halved"),
    [(None, 1, False), (None, 2, True), ("?", 2, True), ("1", 2, False)],
)
def test_the_user_s_number_of_threads_is_kept(
    variable: str | None, cores: int, are_halved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is None:
        monkeypatch.delenv("OMP_NUM_THREADS")
    else:
        monkeypatch.setenv("OMP_NUM_THREADS", variable)
    monkeypatch.setattr(operating_system, "allowed_cores", partial(int, cores))
    torch.set_num_threads(1)

    assert halves_batches(SMALL) is are_halved


def test_functions_run_at_once_with_the_same_number_of_threads() -> None:
    torch.set_num_threads(1)
    barrier = threading.Barrier(3, timeout=30)

    def run(number: int) -> tuple[int, int, int]:
        barrier.wait()
        return number, threading.get_ident(), torch.get_num_threads()

    results = AdaptiveRunner().run([partial(run, number) for number in range(3)])

    assert [number for number, _, _ in results] == [0, 1, 2]
    assert len({thread for _, thread, _ in results}) == 3
    assert results[-1][1] == threading.get_ident()
    assert {threads for _, _, threads in results} == {1}
    assert AdaptiveRunner().run([threading.get_ident]) == [threading.get_ident()]


@pytest.mark.parametrize("failing", [0, 1])
def test_an_error_of_either_function_is_raised_when_both_have_ended(failing: int) -> None:
    ended = []

    def run(number: int) -> None:
        ended.append(number)
        if number == failing:
            raise ValueError(f"{number}")

    with pytest.raises(ValueError, match=str(failing)):
        AdaptiveRunner().run([partial(run, number) for number in range(2)])
    assert sorted(ended) == [0, 1]


def test_they_run_in_turn_while_that_takes_less_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock: Any = {"now": 0.0, "at once": 10.0, "in turn": 15.0}  # seconds

    def run_at_once(functions: Any) -> list[str]:
        clock["now"] += clock["at once"]
        return ["at once"] * len(functions)

    def run_in_turn() -> str:
        clock["now"] += clock["in turn"] / 2
        return "in turn"

    def take(count: int) -> list[str]:
        return [runner.run([run_in_turn, run_in_turn])[1] for _ in range(count)]

    monkeypatch.setattr(cpu_threads, "_run_at_once", run_at_once)
    monkeypatch.setattr(
        cpu_threads, "time", SimpleNamespace(perf_counter=lambda: float(clock["now"]))
    )
    runner = AdaptiveRunner()

    modes = take(24)
    assert modes[:4] == ["at once", "at once", "in turn", "at once"]
    assert modes[3:].count("in turn") == 2
    clock["at once"] = 30.0  # other programs begin
    modes = take(24)
    assert modes.count("at once") == 3  # until it is noticed, and two trials
    clock["at once"] = 10.0  # and end
    assert take(24).count("in turn") == 2
