"""How long learning takes until a subject is nearly as like as it gets."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet_benchmarks import standalone_training
from modelsheet_benchmarks.subjects import Doll

_SETTLED = 0.95  # of the final subject fidelity
_LOOK_EVERY = 10  # steps


def seconds_to_likeness(doll: Doll, base: BaseModel) -> float:
    """How long *balanced* learns, in processor time, until subject fidelity is 95 % of what it is
    in the end. Looking is no part of it.
    """
    wish = standalone_training.Wish(class_noun=doll.class_noun, captions=doll.captions)
    seen: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        standalone_training.learning_of(base, doll.references, wish, Path(folder)) as learning,
    ):
        steps = learning.training.steps()
        while taken := list(islice(_timed(steps), _LOOK_EVERY)):
            learning.look_once_more()
            before = seen[-1][0] if seen else 0.0
            seen.append((before + sum(taken), learning.curve[-1].subject_fidelity))
    final = seen[-1][1]
    return next(seconds for seconds, fidelity in seen if fidelity >= _SETTLED * final)


def _timed(steps: Iterator[object]) -> Iterator[float]:
    """The processor time that each of them takes."""
    while True:
        began = time.process_time()
        if next(steps, None) is None:
            return
        yield time.process_time() - began
