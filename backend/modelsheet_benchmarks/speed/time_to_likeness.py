"""Measure the processor time of training until subject fidelity has nearly its final value."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import load_clip
from modelsheet_benchmarks import standalone_training
from modelsheet_benchmarks.subjects import BenchmarkSubject

_NEARLY = 0.95  # of the final subject fidelity
_VALIDATION_STEPS = 10  # steps


def seconds_to_likeness(subject: BenchmarkSubject, base: BaseModel) -> float:
    """Train by *balanced*; return the processor time in seconds until subject fidelity was 95 % of
    its final value. Validation is not counted.
    """
    request = standalone_training.benchmark_request(
        subject.class_noun, subject.references, captions=subject.captions
    )
    curve: list[tuple[float, float]] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        standalone_training.standalone_session(
            base, request, subject.references, Path(folder), load_clip(base)
        ) as session,
    ):
        steps = session.trainer.steps()
        while taken := list(islice(_timed(steps), _VALIDATION_STEPS)):
            session.validate_last_step()
            before = curve[-1][0] if curve else 0.0
            curve.append((before + sum(taken), session.curve[-1].subject_fidelity))
    final = curve[-1][1]
    return next(seconds for seconds, fidelity in curve if fidelity >= _NEARLY * final)


def _timed(steps: Iterator[object]) -> Iterator[float]:
    """Yield the processor time in seconds that each step takes."""
    while True:
        began = time.process_time()
        if next(steps, None) is None:
            return
        yield time.process_time() - began
