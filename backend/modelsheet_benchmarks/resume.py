"""`modelsheet bench resume`: kill training at random steps, resume it, and compare the adapter's
bytes with those of an uninterrupted training.
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
from modelsheet.base_models.locate import DEFAULT_BASE_MODEL
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.clip_encoders import load_clip
from modelsheet.errors import ModelsheetError
from modelsheet.settings import Settings
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session


@dataclass(frozen=True)
class ResumeTest:
    """A training with a checkpoint after every `every` steps, to be killed and resumed."""

    base_model: str
    data_dir: Path
    class_noun: str
    steps: int
    every: int


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
    """Kill, resume and compare as often as asked; return the exit code. Raises ModelsheetError."""
    data_dir = Settings.from_environment(os.environ).data_dir
    test = ResumeTest(
        arguments.base, data_dir, arguments.class_noun, arguments.steps, arguments.every
    )
    rng = random.Random(arguments.seed)
    kills = [rng.randint(1, test.steps - 1) for _ in range(arguments.times)]
    return 0 if compare(test, kills) else 1


def compare(test: ResumeTest, kills: Sequence[int]) -> bool:
    """Print for each step to kill at if the adapter has the bytes of an uninterrupted training."""
    whole = _adapter_sha256(test, None)
    same = 0
    for step in kills:
        is_same = _adapter_sha256(test, step) == whole
        same += is_same
        print_line(f"killed at step {step:3}: {'the same bytes' if is_same else 'OTHER BYTES'}")
    print_line(f"{same} of {len(kills)} as undisturbed ({whole[:16]})")
    return same == len(kills)


def _adapter_sha256(test: ResumeTest, kill_at: int | None) -> str:
    """Train in a process of its own, ended by SIGKILL at step `kill_at`, and resume in another."""
    with tempfile.TemporaryDirectory() as folder:
        if kill_at is not None:
            _train_in_process(test, Path(folder), kill_at)
        _train_in_process(test, Path(folder), None)
        content = (Path(folder) / "adapter.safetensors").read_bytes()
    return hashlib.sha256(content).hexdigest()


def _train_in_process(test: ResumeTest, folder: Path, kill_at: int | None) -> None:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(test, folder, sender))
    process.start()
    sender.close()
    try:
        while receiver.recv() != kill_at:
            pass
        process.kill()
    except EOFError:  # the training has ended
        pass
    process.join()
    if kill_at is None and process.exitcode:
        raise ModelsheetError(f"Learning ended with exit code {process.exitcode}; see above.")


def _train(test: ResumeTest, folder: Path, sender: Connection) -> None:
    base = load_base_model(test.base_model, test.data_dir, torch.device("cpu"))
    overrides = TrainingOverrides(training_steps=test.steps)
    pictures = _pictures()
    request = benchmark_request(test.class_noun, pictures, overrides=overrides)
    with standalone_session(base, request, pictures, folder, load_clip(base)) as session:
        for event in session.events():
            if event.step.step % test.every == 0:
                session.save_checkpoint()
            sender.send(event.step.step)
        session.finish(folder)


def _pictures() -> list[Image.Image]:
    """Draw three pictures of one small figure."""
    pictures = []
    for shift in (0, 3, 6):
        picture = Image.new("RGBA", (32, 32))
        draw = ImageDraw.Draw(picture)
        draw.ellipse((5 + shift, 4, 18 + shift, 28), fill=(200, 60, 30, 255))
        draw.rectangle((9 + shift, 12, 13 + shift, 20), fill=(30, 60, 200, 255))
        pictures.append(picture)
    return pictures
