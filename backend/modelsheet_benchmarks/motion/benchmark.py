"""`modelsheet bench motion`: draw characters whose right pictures are known, and compare."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch

from modelsheet.motion.figures.pictures import VIEWS, Picture, nearest_index
from modelsheet.motion.network.embedded import WEIGHTS
from modelsheet.motion.network.model import MotionModel
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.motion.page import write_page
from modelsheet_benchmarks.motion.retrieval import Retrieval
from sprite_training.motion.character_parts import Split
from sprite_training.motion.checkpoints import read_model
from sprite_training.motion.evaluation import GIVEN, TestSet, flicker
from sprite_training.motion.posed_archive import PosedArchive

METRICS = ("view", "frame", "character", "shown", "exact", "overlap")
_RESAMPLES = 2000
_TIMED_FRAMES = 36
_FLICKER_VIEWS = ("front", "left")
Answer = Callable[[int, str], Sequence[Picture]]  # character, ability -> its cases' pictures


@dataclass(frozen=True)
class Figure:
    """A mean over characters with its 95 % confidence interval (bootstrap over characters)."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Row:
    """The figures of one method with one ability's drawings."""

    ability: str
    method: str
    figures: dict[str, Figure]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tiles", type=Path, required=True, help="archive of character parts")
    parser.add_argument("--characters", type=Path, help="JSON of characters (random ones)")
    parser.add_argument("--split", type=Path, help="JSON of parts that retrieval may not use")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="(the embedded ones)")
    parser.add_argument("--number", type=int, default=32, help="of characters (%(default)s)")
    parser.add_argument("--doubles", type=int, default=99, help="rivals (%(default)s)")
    parser.add_argument("--retrieved", type=int, default=3000, help="candidates (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="(%(default)s)")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    parser.add_argument("--page", type=Path, help="folder for a page with the pictures")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print, and write what is asked for; return the exit code. Raises NotFound."""
    torch.set_num_threads(arguments.threads)
    model, pictures = read_model(arguments.weights)
    test = TestSet(arguments.tiles, arguments.characters, arguments.number, arguments.doubles)
    methods = make_methods(test, model, arguments)
    rows = [
        Row(ability, name, _figures(test, answer, ability))
        for ability in GIVEN
        for name, answer in methods.items()
    ]
    steadiness = measure_flicker(test, model)
    seconds = time_frames(test, model)
    for row in rows:
        print_line(f"{row.ability:11} {row.method:18} {_line(row.figures)}")
    print_line(f"flicker against the truth's: {steadiness.mean:.2f} ({_interval(steadiness)})")
    print_line(f"{_TIMED_FRAMES} frames: {seconds:.1f} s with {arguments.threads} threads")
    content = {
        "pictures_seen": pictures,
        "characters": len(test.characters),
        "rows": [asdict(row) for row in rows],
        "flicker": asdict(steadiness),
        "seconds_for_36_frames": seconds,
        "threads": arguments.threads,
    }
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", "utf-8")
    if arguments.page is not None:
        lines = [f"{row.ability}, {row.method}: {_line(row.figures)}" for row in rows]
        print_line(str(write_page(arguments.page, test, methods, lines)))
    return 0


def make_methods(
    test: TestSet, model: MotionModel, arguments: argparse.Namespace
) -> dict[str, Answer]:
    """Return the model with the true mannequins and with fitted ones, and the baselines."""
    split = Split(arguments.split) if arguments.split is not None else None
    retrieval = Retrieval(PosedArchive(arguments.tiles, split), arguments.retrieved)

    def retrieve(number: int, ability: str) -> list[Picture]:
        answers = []
        for case in test.cases[number]:
            given = GIVEN[ability] or (case.pose.view,)
            indices = [VIEWS.index(view) for view in given]
            view = given[nearest_index(indices, VIEWS.index(case.pose.view))]
            drawing = test.standing(test.characters[number], view)
            answers += retrieval.answers(drawing, view, [case.pose])
        return answers

    return {
        "model": lambda number, ability: test.answers(model, number, ability),
        "model, measured": lambda number, ability: test.answers(
            model, number, ability, is_measured=True
        ),
        "unmoved": test.unmoved,
        "retrieve and dress": retrieve,
    }


def measure_flicker(test: TestSet, model: MotionModel) -> Figure:
    """Compare the change between neighbouring frames of walks with the truth's."""
    ratios = []
    for character in test.characters:
        drawn = true = 0.0
        for view in _FLICKER_VIEWS:
            poses, truths = test.walk(character, view)
            drawn += flicker(test.draw(model, character, (view,), poses))
            true += flicker(truths)
        ratios.append(drawn / true)
    return interval(ratios)


def time_frames(test: TestSet, model: MotionModel) -> float:
    """Return the seconds for 36 frames of one character, in four views."""
    character = test.characters[0]
    test.draw(model, character, ("front",), test.walk(character, "front")[0])  # warms up
    start = time.perf_counter()
    left = _TIMED_FRAMES
    while left > 0:
        for view in VIEWS:
            poses = test.walk(character, view)[0][:left]
            if poses:
                test.draw(model, character, (view,), poses)
                left -= len(poses)
    return time.perf_counter() - start


def interval(values: Sequence[float]) -> Figure:
    """Return the mean of one value a character, and its bootstrap interval."""
    array = np.array(values, np.float64)
    rng = np.random.default_rng(0)
    means = array[rng.integers(len(array), size=(_RESAMPLES, len(array)))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Figure(float(array.mean()), float(low), float(high))


def _figures(test: TestSet, answer: Answer, ability: str) -> dict[str, Figure]:
    by_character = []
    for number, cases in enumerate(test.cases):
        pictures = answer(number, ability)
        scores = [case.score(p) for case, p in zip(cases, pictures, strict=True)]
        by_character.append({name: np.mean([score[name] for score in scores]) for name in METRICS})
    return {name: interval([float(each[name]) for each in by_character]) for name in METRICS}


def _line(figures: dict[str, Figure]) -> str:
    return "  ".join(
        f"{name} {100 * figure.mean:.1f} % ({_interval(figure, 100)})"
        for name, figure in figures.items()
    )


def _interval(figure: Figure, times: float = 1) -> str:
    digits = 0 if times > 1 else 2
    return f"{times * figure.low:.{digits}f} to {times * figure.high:.{digits}f}"
