"""Run a training in several processes that share each step; signals end it with a checkpoint."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
import torch.distributed as dist

from sprite_training.motion.training import MotionTrainer, TrainingOptions

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_LAST_STEP_S = 60.0


def train(options: TrainingOptions) -> None:
    """Train as asked; errors as of `Trainer`."""
    trainer = MotionTrainer(options)
    context = torch.multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, _stopping(trainer):
        meeting = Path(folder) / "meeting"
        others = [
            context.Process(target=_follow, args=(options, rank, meeting))
            for rank in range(1, options.ranks)
        ]
        for process in others:
            process.start()
        try:
            _run(trainer, meeting)
            for process in others:
                process.join(_LAST_STEP_S)
        finally:
            for process in others:
                process.kill()
                process.join()


def _follow(options: TrainingOptions, rank: int, meeting: Path) -> None:
    """Run another rank: it stops when rank 0 does, whatever the signals."""
    trainer = MotionTrainer(options, rank)
    with _stopping(None):
        _run(trainer, meeting)


def _run(trainer: MotionTrainer, meeting: Path) -> None:
    ranks = trainer.options.ranks
    if ranks == 1:
        trainer.run()
        return
    dist.init_process_group(
        "gloo", init_method=meeting.as_uri(), rank=trainer.rank, world_size=ranks
    )
    try:
        trainer.run()
    finally:
        dist.destroy_process_group()


@contextmanager
def _stopping(trainer: MotionTrainer | None) -> Iterator[None]:
    """Turn signals into a wish to stop after the step; without a trainer ignore them.

    Data processes inherit the handler and end at once.
    """
    own = os.getpid()

    def handle(*_: object) -> None:
        if os.getpid() != own:
            os._exit(0)
        if trainer is not None:
            trainer.is_stop_wanted = True

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
