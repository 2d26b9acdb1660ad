"""How many artists so many GPUs serve: a simulation of the queue from measured times.

`modelsheet capacity --step 0.2 --picture 1.0` prints a table. Artists ask for pictures, look at
them, ask again, and now and then have a subject learnt. A picture goes to any free GPU, or
interrupts learning after the step under way; learning has what painting leaves.
"""

from __future__ import annotations

import argparse
import heapq
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

_WARM_UP = 0.1  # of the time simulated: the queues fill
_Act = Callable[[], None]


@dataclass(frozen=True)
class Habits:
    """Seconds on one GPU, and what an artist does.

    `paint_s` is one request for pictures, `learn_s` one subject; `aside_s` is what it costs to put
    learning aside and to take it up again. An artist looks at pictures for `think_s` on average,
    exponentially distributed, and learns every `learn_every_s`.
    """

    paint_s: float
    learn_s: float
    step_s: float
    aside_s: float
    think_s: float
    learn_every_s: float


@dataclass
class Learning:
    """A subject that is learnt: what is left to do, and when it was asked for."""

    asked: float
    left_s: float


@dataclass
class Outcome:
    """Seconds waited for a picture to begin, and how much longer than alone learning took."""

    waits_s: list[float] = field(default_factory=list)
    stretches: list[float] = field(default_factory=list)
    busy_s: float = 0.0

    def wait_s(self, share: float) -> float:
        return _quantile(self.waits_s, share)

    def stretch(self, share: float) -> float:
        return _quantile(self.stretches, share)


class Studio:
    """One run: artists in a closed loop before some GPUs."""

    def __init__(self, habits: Habits, artists: int, gpus: int, seed: int) -> None:
        self._habits = habits
        self._chance = random.Random(seed)
        self._now = 0.0
        self._number = 0
        self._events: list[tuple[float, int, _Act]] = []
        self._free = gpus
        self._pictures: deque[float] = deque()  # when each was asked for
        self._waiting: deque[Learning] = deque()
        self._running: dict[int, tuple[Learning, float]] = {}  # and since when, by its end's number
        self._leaving = 0
        self.outcome = Outcome()
        for _ in range(artists):
            self._after(self._chance.uniform(0.0, habits.think_s), self._ask_for_pictures)
            self._after(self._chance.uniform(0.0, habits.learn_every_s), self._ask_to_learn)

    def run(self, seconds: float) -> Outcome:
        while self._events and self._events[0][0] < seconds:
            self._now, _, act = heapq.heappop(self._events)
            if self._now < _WARM_UP * seconds:
                self.outcome = Outcome()
            act()
        self._count_the_unfinished(seconds)
        return self.outcome

    def _count_the_unfinished(self, seconds: float) -> None:
        """Learning that is not over has taken at least as long as until now."""
        unfinished = [*self._waiting, *(learning for learning, _ in self._running.values())]
        stretches = [(seconds - each.asked) / self._habits.learn_s for each in unfinished]
        self.outcome.stretches += [stretch for stretch in stretches if stretch > 1.0]

    def _after(self, delay_s: float, act: _Act) -> int:
        self._number += 1
        heapq.heappush(self._events, (self._now + delay_s, self._number, act))
        return self._number

    def _ask_for_pictures(self) -> None:
        self._pictures.append(self._now)
        self._give_out()
        self._interrupt()

    def _ask_to_learn(self) -> None:
        self._waiting.append(Learning(self._now, self._habits.learn_s))
        self._after(self._chance.expovariate(1.0 / self._habits.learn_every_s), self._ask_to_learn)
        self._give_out()

    def _give_out(self) -> None:
        while self._free and self._pictures:
            self._free -= 1
            self.outcome.waits_s.append(self._now - self._pictures.popleft())
            self.outcome.busy_s += self._habits.paint_s
            self._after(self._habits.paint_s, self._painted)
        while self._free and self._waiting:
            self._free -= 1
            self._learn(self._waiting.popleft())

    def _learn(self, learning: Learning) -> None:
        number = self._number + 1
        self._running[number] = learning, self._now
        self._after(learning.left_s, lambda: self._learnt(number))

    def _painted(self) -> None:
        self._free += 1
        self._after(self._chance.expovariate(1.0 / self._habits.think_s), self._ask_for_pictures)
        self._give_out()

    def _learnt(self, number: int) -> None:
        if number not in self._running:
            return  # it stepped aside before
        learning, since = self._running.pop(number)
        self.outcome.busy_s += self._now - since
        self.outcome.stretches.append((self._now - learning.asked) / self._habits.learn_s)
        self._free += 1
        self._give_out()

    def _interrupt(self) -> None:
        """Have learning step aside for each picture that waits and has no GPU coming."""
        while len(self._pictures) > self._leaving and self._running:
            number = next(iter(self._running))
            learning, since = self._running.pop(number)
            rest_of_step_s = self._chance.uniform(0.0, self._habits.step_s)
            done_s = self._now - since + rest_of_step_s
            learning.left_s = max(0.0, learning.left_s - done_s) + self._habits.aside_s
            self.outcome.busy_s += done_s
            self._leaving += 1
            self._after(rest_of_step_s + self._habits.aside_s / 2, self._stepped_aside)
            self._waiting.appendleft(learning)

    def _stepped_aside(self) -> None:
        self._leaving -= 1
        self._free += 1
        self._give_out()


def most_artists(
    habits: Habits, gpus: int, wait_s: float, stretch: float, seconds: float
) -> tuple[int, Outcome]:
    """Return the most artists of whom 19 in 20 requests wait no longer, and whose learning takes,
    19 times in 20, no more than `stretch` times as long as alone; and how that goes.
    """

    def serve(artists: int) -> Outcome:
        return Studio(habits, artists, gpus, seed=artists).run(seconds)

    def is_fine(outcome: Outcome) -> bool:
        return outcome.wait_s(0.95) <= wait_s and outcome.stretch(0.95) <= stretch

    low, high = 0, gpus
    while is_fine(serve(high)):
        low, high = high, 2 * high
    while high - low > max(1, low // 50):
        middle = (low + high) // 2
        low, high = (middle, high) if is_fine(serve(middle)) else (low, middle)
    return low, serve(max(1, low))


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
    habits = Habits(
        paint_s=given.overhead + given.pictures * given.picture,
        learn_s=given.steps * given.step,
        step_s=given.step,
        aside_s=given.aside,
        think_s=given.think,
        learn_every_s=3600.0 * given.learn_every,
    )
    print("| GPUs | a picture begins within | artists | each GPU busy | learning takes |")
    print("|---|---|---|---|---|")
    for gpus in given.gpus:
        seconds = 3600.0 * given.gpu_hours / gpus
        for wait_s in given.waits:
            artists, outcome = most_artists(habits, gpus, wait_s, given.stretch, seconds)
            busy = outcome.busy_s / ((1.0 - _WARM_UP) * seconds * gpus)
            takes = f"{outcome.stretch(0.95):.1f} times as long"
            print(f"| {gpus} | {wait_s:g} s | {artists} | {busy:.0%} | {takes} |", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
