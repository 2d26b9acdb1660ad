"""`modelsheet bench resume`: learning that is killed at a random step and started again, and
whether the adapter has the same bytes as one that nobody disturbed.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import os
import random
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import torch
from PIL import Image, ImageDraw

from modelsheet.api.learn import TrainingOverrides
from modelsheet.base_models.catalogue import DEFAULT_BASE_MODEL
from modelsheet.diffusion.models.base_model import load_base_model
from modelsheet.errors import ModelsheetError
from modelsheet.settings import Settings
from modelsheet_benchmarks.standalone_training import Wish, learning_of


@dataclass(frozen=True)
class Trial:
    """What is learnt, with a checkpoint after every `every` steps."""

    base_model: str
    data_dir: Path
    wish: Wish
    every: int

    @property
    def steps(self) -> int:
        return self.wish.overrides.training_steps or 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base", default=DEFAULT_BASE_MODEL, help="base model (%(default)s)")
    parser.add_argument("--class-noun", default="human woman", help="(%(default)s)")
    parser.add_argument("--steps", type=int, default=20, help="(%(default)s)")
    parser.add_argument(
        "--every", type=int, default=4, help="steps from save to save (%(default)s)"
    )
    parser.add_argument("--times", type=int, default=10, help="(%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the steps to kill at (%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Raises ModelsheetError."""
    overrides = TrainingOverrides(training_steps=arguments.steps)
    data_dir = Settings.from_environment(os.environ).data_dir
    wish = Wish(class_noun=arguments.class_noun, overrides=overrides)
    trial = Trial(arguments.base, data_dir, wish, arguments.every)
    chance = random.Random(arguments.seed)
    kills = [chance.randint(1, trial.steps - 1) for _ in range(arguments.times)]
    return 0 if compare(trial, kills) else 1


def compare(trial: Trial, kills: Sequence[int]) -> bool:
    """Tell of each kill whether the bytes are the same; learns once more without any."""
    whole = _learnt(trial, None)
    same = 0
    for step in kills:
        is_same = _learnt(trial, step) == whole
        same += is_same
        _say(f"killed at step {step:3}: {'the same bytes' if is_same else 'OTHER BYTES'}")
    _say(f"{same} of {len(kills)} as undisturbed ({whole[:16]})")
    return same == len(kills)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 -- a program, asked for its findings


def _learnt(trial: Trial, kill_at: int | None) -> str:
    """The adapter's sha256. Each attempt is a process of its own, ended by SIGKILL at `kill_at`."""
    with tempfile.TemporaryDirectory() as folder:
        if kill_at is not None:
            _attempt(trial, Path(folder), kill_at)
        _attempt(trial, Path(folder), None)
        content = (Path(folder) / "adapter.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


def _attempt(trial: Trial, folder: Path, kill_at: int | None) -> None:
    context = multiprocessing.get_context("spawn")
    hearing, telling = context.Pipe(duplex=False)
    process = context.Process(target=_learn, args=(trial, folder, telling))
    process.start()
    telling.close()
    try:
        while hearing.recv() != kill_at:
            pass
        process.kill()
    except EOFError:  # it came to its end
        pass
    process.join()
    if kill_at is None and process.exitcode:
        raise ModelsheetError(f"Learning ended with exit code {process.exitcode}; see above.")


def _learn(trial: Trial, folder: Path, telling: Connection) -> None:
    base = load_base_model(trial.base_model, trial.data_dir, torch.device("cpu"))
    with learning_of(base, _pictures(), trial.wish, folder) as learning:
        for event in learning.events():
            if event.report.step % trial.every == 0:
                learning.save_checkpoint()
            telling.send(event.report.step)
        learning.finish(folder)


def _pictures() -> list[Image.Image]:
    """Three views of one small thing."""
    found = []
    for shift in (0, 3, 6):
        picture = Image.new("RGBA", (32, 32))
        draw = ImageDraw.Draw(picture)
        draw.ellipse((5 + shift, 4, 18 + shift, 28), fill=(200, 60, 30, 255))
        draw.rectangle((9 + shift, 12, 13 + shift, 20), fill=(30, 60, 200, 255))
        found.append(picture)
    return found
