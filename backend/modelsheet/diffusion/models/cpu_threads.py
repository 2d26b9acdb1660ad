"""Threads of a base model on a CPU: all, but for small networks as many as help.

Their operations are so short that waking another thread may take longer than it saves: beside a
busy program a step of sprite32 takes 1.5 times as long with two threads as with one, on some
computers also on idle cores. Sums over another number of threads are rounded differently, so the
choice is remembered: the same seed gives the same picture tomorrow.

Where one thread is best, another one still helps if it takes half of a batch for itself.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F

from modelsheet import operating_system
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.files.json_file import read_json_object

FILE = "cpu-threads.json"  # in the data folder
_ROUNDS, _WARM_UP = 12, 3
_LEAST_GAIN = 1.3  # by twice as many threads, for what they take from other programs
_RUNS_PER_TRIAL = 8  # of the slower way, whether it is the faster one by now
_Result = TypeVar("_Result")


def threads_for(base: BaseModel, most: int, data_dir: Path) -> int:
    """Return the number of threads, at most `most`, to compute with this base model."""
    if most == 1 or base.device.type != "cpu" or not base.is_small:
        return most
    key = f"{platform.node()}, {most} threads, PyTorch {torch.__version__}"
    remembered = {}
    with suppress(OSError, ValueError):
        remembered = read_json_object(data_dir / FILE)
    if remembered.get(key) not in range(1, most + 1):
        remembered[key] = _measure(most)
        with suppress(OSError):  # else it is measured again next time
            (data_dir / FILE).write_text(json.dumps(remembered), "utf-8")
    threads: int = remembered[key]
    return threads


def halves_batches(base: BaseModel) -> bool:
    """Tell whether two threads, each with half of a batch, are faster than one with all of it:
    where the network is so small that it computes with one, and more are allowed.
    """
    is_by_one = base.device.type == "cpu" and torch.get_num_threads() == 1
    return is_by_one and base.is_small and _allowed_threads() > 1


def _allowed_threads() -> int:
    """Return the number of threads that the service, or the user, allows this process."""
    with suppress(KeyError, ValueError):
        return int(os.environ["OMP_NUM_THREADS"])
    return operating_system.allowed_cores()


class AdaptiveRunner:
    """Run functions at once, each by a thread, or one after the other where that takes less time:
    where other programs keep the cores busy, threads that wait for each other take longer. Both
    give the same results. One instance serves functions that take alike long.
    """

    def __init__(self) -> None:
        self._runs = 0
        self._seconds: dict[bool, float] = {}

    def run(self, functions: Sequence[Callable[[], _Result]]) -> list[_Result]:
        """Return the functions' results. A thread of its own begins with PyTorch's modes:
        gradients are on.
        """
        at_once = len(functions) > 1 and self._choose()
        began = time.perf_counter()
        results = _run_at_once(functions) if at_once else [each() for each in functions]
        if self._runs:  # the first one warms up
            self._seconds[at_once] = time.perf_counter() - began
        self._runs += 1
        return results

    def _choose(self) -> bool:
        """Choose what took less time lately, and now and then the other."""
        if len(self._seconds) < 2:
            return True not in self._seconds
        is_faster = self._seconds[True] < self._seconds[False]
        return is_faster is not (self._runs % _RUNS_PER_TRIAL == 0)


def _run_at_once(functions: Sequence[Callable[[], _Result]]) -> list[_Result]:
    """Run the last function in this thread and each other in one of its own."""
    *others, last = functions
    with ThreadPoolExecutor(len(others)) as pool:
        futures = [pool.submit(each) for each in others]
        result = last()
        return [*(future.result() for future in futures), result]


def _measure(most: int) -> int:
    """Time a block of a small network, some 5 ms, with 1, 2, 4, ... threads by turns."""
    counts = [1 << power for power in range(most.bit_length()) if 1 << power < most] + [most]
    times = {count: list[float]() for count in counts}
    with torch.inference_mode():
        for number in range(_WARM_UP + _ROUNDS):
            for count, seconds in times.items():
                torch.set_num_threads(count)
                began = time.perf_counter()
                _block()
                if number >= _WARM_UP:
                    seconds.append(time.perf_counter() - began)
    torch.set_num_threads(most)
    best = 1
    for count in counts[1:]:
        if min(times[best]) > _LEAST_GAIN * min(times[count]):
            best = count
    return best


def _block() -> torch.Tensor:
    """Compute what a UNet's block does, at the sizes of sprite32."""
    image, kernel = torch.ones(2, 128, 8, 8), torch.ones(128, 128, 3, 3)
    tokens, weight = torch.ones(2, 64, 128), torch.ones(512, 128)
    for _ in range(2):
        image = F.conv2d(F.silu(F.group_norm(image, 32)), kernel, padding=1)
        tokens = F.linear(F.gelu(F.linear(F.layer_norm(tokens, (128,)), weight)), weight.t())
    return image.sum() + tokens.sum()
