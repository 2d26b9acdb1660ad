"""Simulate the job queue to find how many artists a number of GPUs serves, from measured times.

`modelsheet capacity --step 0.2 --picture 1.0` prints a table. Artists request images, look at them,
request again, and now and then learn a subject. A generate job runs on any free GPU, or preempts a
learn job after its current step; learn jobs use the remaining time.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_WARM_UP = 0.1  # of the simulated time, which is not counted: the queues fill
_Action = Callable[[], None]


@dataclass(frozen=True)
class WorkloadModel:
    """Durations of jobs on one GPU, and intervals of an artist's requests, in seconds.

    `generate_s` is one generate job, `learn_s` one learn job, `preempt_s` the cost of preempting a
    learn job and resuming it. An artist looks at images for `think_s` on average, exponentially
    distributed, and learns every `learn_every_s`.
    """

    generate_s: float
    learn_s: float
    step_s: float
    preempt_s: float
    think_s: float
    learn_every_s: float


@dataclass
class LearnJob:
    """A learn job: the time of its request, and the seconds it still takes."""

    requested_at: float
    remaining_s: float


@dataclass
class SimulationResult:
    """Seconds that generate jobs waited, and each learn job's slowdown: its duration from request
    to end, divided by `learn_s`.
    """

    waits_s: list[float] = field(default_factory=list)
    slowdowns: list[float] = field(default_factory=list)
    busy_s: float = 0.0

    def wait_s(self, share: float) -> float:
        """Return the wait that this share of the generate jobs did not exceed."""
        return _quantile(self.waits_s, share)

    def slowdown(self, share: float) -> float:
        """Return the slowdown that this share of the learn jobs did not exceed."""
        return _quantile(self.slowdowns, share)


class QueueSimulation:
    """A discrete-event simulation of artists who share some GPUs, as a closed queue."""

    def __init__(self, workload: WorkloadModel, artists: int, gpus: int, seed: int) -> None:
        self._workload = workload
        self._random = random.Random(seed)
        self._now = 0.0
        self._number = 0
        self._events: list[tuple[float, int, _Action]] = []
        self._free = gpus
        self._generate_jobs: deque[float] = deque()  # the time of each request
        self._learn_jobs: deque[LearnJob] = deque()
        # The running learn jobs with their start, by the number of their end event.
        self._running: dict[int, tuple[LearnJob, float]] = {}
        self._stopping = 0
        self.result = SimulationResult()
        for _ in range(artists):
            self._after(self._random.uniform(0.0, workload.think_s), self._request_images)
            self._after(self._random.uniform(0.0, workload.learn_every_s), self._request_learning)

    def run(self, seconds: float) -> SimulationResult:
        """Simulate so many seconds."""
        while self._events and self._events[0][0] < seconds:
            self._now, _, action = heapq.heappop(self._events)
            if self._now < _WARM_UP * seconds:
                self.result = SimulationResult()
            action()
        self._count_unfinished(seconds)
        return self.result

    def _count_unfinished(self, seconds: float) -> None:
        """Count the unfinished learn jobs as if they ended now."""
        unfinished = [*self._learn_jobs, *(job for job, _ in self._running.values())]
        slowdowns = [(seconds - each.requested_at) / self._workload.learn_s for each in unfinished]
        self.result.slowdowns += [slowdown for slowdown in slowdowns if slowdown > 1.0]

    def _after(self, delay_s: float, action: _Action) -> int:
        self._number += 1
        heapq.heappush(self._events, (self._now + delay_s, self._number, action))
        return self._number

    def _request_images(self) -> None:
        self._generate_jobs.append(self._now)
        self._start_jobs()
        self._preempt()

    def _request_learning(self) -> None:
        self._learn_jobs.append(LearnJob(self._now, self._workload.learn_s))
        self._after(
            self._random.expovariate(1.0 / self._workload.learn_every_s), self._request_learning
        )
        self._start_jobs()

    def _start_jobs(self) -> None:
        while self._free and self._generate_jobs:
            self._free -= 1
            self.result.waits_s.append(self._now - self._generate_jobs.popleft())
            self.result.busy_s += self._workload.generate_s
            self._after(self._workload.generate_s, self._generated)
        while self._free and self._learn_jobs:
            self._free -= 1
            self._start_learning(self._learn_jobs.popleft())

    def _start_learning(self, job: LearnJob) -> None:
        number = self._number + 1
        self._running[number] = job, self._now
        self._after(job.remaining_s, lambda: self._learnt(number))

    def _generated(self) -> None:
        self._free += 1
        self._after(self._random.expovariate(1.0 / self._workload.think_s), self._request_images)
        self._start_jobs()

    def _learnt(self, number: int) -> None:
        if number not in self._running:
            return  # it was preempted
        job, since = self._running.pop(number)
        self.result.busy_s += self._now - since
        self.result.slowdowns.append((self._now - job.requested_at) / self._workload.learn_s)
        self._free += 1
        self._start_jobs()

    def _preempt(self) -> None:
        """Preempt a learn job for each queued generate job without a GPU reserved for it."""
        while len(self._generate_jobs) > self._stopping and self._running:
            number = next(iter(self._running))
            job, since = self._running.pop(number)
            rest_of_step_s = self._random.uniform(0.0, self._workload.step_s)
            done_s = self._now - since + rest_of_step_s
            job.remaining_s = max(0.0, job.remaining_s - done_s) + self._workload.preempt_s
            self.result.busy_s += done_s
            self._stopping += 1
            self._after(rest_of_step_s + self._workload.preempt_s / 2, self._preempted)
            self._learn_jobs.appendleft(job)

    def _preempted(self) -> None:
        self._stopping -= 1
        self._free += 1
        self._start_jobs()


def most_artists(
    workload: WorkloadModel, gpus: int, wait_s: float, slowdown: float, seconds: float
) -> tuple[int, SimulationResult]:
    """Return the largest number of artists with whom 95 % of the generate jobs wait at most
    `wait_s` and 95 % of the learn jobs have at most this `slowdown`; and the result with that many.
    """

    def simulate(artists: int) -> SimulationResult:
        return QueueSimulation(workload, artists, gpus, seed=artists).run(seconds)

    def is_met(result: SimulationResult) -> bool:
        return result.wait_s(0.95) <= wait_s and result.slowdown(0.95) <= slowdown

    low, high = 0, gpus
    while is_met(simulate(high)):
        low, high = high, 2 * high
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (middle, high) if is_met(simulate(middle)) else (low, middle)
    return low, simulate(max(1, low))


def _quantile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="modelsheet capacity", description=__doc__)
    times = parser.add_argument_group("measured on one of the GPUs, in seconds")
    times.add_argument("--step", type=float, default=0.2, help="a step of learning (%(default)s)")
    times.add_argument("--steps", type=int, default=400, help="of one subject (%(default)s)")
    times.add_argument("--picture", type=float, default=1.0, help="one picture (%(default)s)")
    times.add_argument("--overhead", type=float, default=0.3, help="of a request (%(default)s)")
    times.add_argument("--aside", type=float, default=1.0, help="to step aside and come back")
    people = parser.add_argument_group("what an artist does")
    people.add_argument("--pictures", type=int, default=4, help="in a request (%(default)s)")
    people.add_argument("--think", type=float, default=60.0, help="seconds between requests")
    people.add_argument("--learn-every", type=float, default=2.0, help="hours (%(default)s)")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 8, 100])
    parser.add_argument("--waits", type=float, nargs="+", default=[2.0, 10.0])
    parser.add_argument("--stretch", type=float, default=4.0, help="of learning, at most")
    parser.add_argument("--gpu-hours", type=float, default=200.0, help="simulated (%(default)s)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table."""
    given = _arguments().parse_args(argv)
    workload = WorkloadModel(
        generate_s=given.overhead + given.pictures * given.picture,
        learn_s=given.steps * given.step,
        step_s=given.step,
        preempt_s=given.aside,
        think_s=given.think,
        learn_every_s=3600.0 * given.learn_every,
    )
    print("| GPUs | a picture begins within | artists | each GPU busy | learning takes |")
    print("|---|---|---|---|---|")
    for gpus in given.gpus:
        seconds = 3600.0 * given.gpu_hours / gpus
        for wait_s in given.waits:
            artists, result = most_artists(workload, gpus, wait_s, given.stretch, seconds)
            busy = result.busy_s / ((1.0 - _WARM_UP) * seconds * gpus)
            takes = f"{result.slowdown(0.95):.1f} times as long"
            print(f"| {gpus} | {wait_s:g} s | {artists} | {busy:.0%} | {takes} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
