"""`modelsheet bench gpu`: measure learning and painting on a graphics card, within minutes.

sprite32 with its own weights; Stable Diffusion 1.5, SDXL and FLUX.2 klein of their true size with
random weights, so that nothing is downloaded. Every figure is written as soon as it is known: a run
that is cut off has told what it knew.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images
from modelsheet.errors import InvalidRequest, ModelsheetError
from modelsheet.settings import Settings
from modelsheet_benchmarks.console import print_line
from modelsheet_benchmarks.diffusers_pipeline import generate_with_diffusers, seconds_of
from modelsheet_benchmarks.speed.klein_step import random_klein
from modelsheet_benchmarks.speed.random_stable_diffusion import random_sd15, random_sdxl
from modelsheet_benchmarks.speed.sd15_step import drawn_picture, measure
from modelsheet_benchmarks.speed.step_profile import profile_step
from modelsheet_benchmarks.standalone_training import benchmark_request, standalone_session

_BATCHES = (1, 2, 4, 8)
_TIMED_STEPS = 6
_JOB_STEPS = 500
_PICTURE_STEPS = 25
Figures = Mapping[str, Any]
MakeBase = Callable[[torch.device], BaseModel]


def load_sprite32(device: torch.device) -> BaseModel:
    """Load the embedded base model."""
    return load_base_model("sprite32", Settings.from_environment(os.environ).data_dir, device)


BASES: Mapping[str, MakeBase] = {
    "sprite32": load_sprite32,
    "sd15 512 px": partial(random_sd15, dtype=torch.bfloat16),
    "sdxl 1024 px": partial(random_sdxl, dtype=torch.bfloat16),
    "sd15 1024 px": partial(random_sd15, dtype=torch.bfloat16, side=1024),
    "klein 512 px": partial(random_klein, side=512),
    "klein 1024 px": partial(random_klein, side=1024),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", type=Path, required=True, metavar="FILE", help="figures so far")
    parser.add_argument("--device", default="cuda", help="(%(default)s)")
    parser.add_argument("--only", nargs="+", choices=tuple(BASES), metavar="BASE")
    parser.add_argument(
        "--seconds", type=float, default=480.0, help="begin nothing after so many (%(default)s)"
    )
    parser.add_argument("--tests", action="store_true", help="run the tests marked gpu first")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure, print and write figures until time is up; return 1 if one could not be had.

    Raises InvalidRequest without such a device.
    """
    device = torch.device(arguments.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InvalidRequest(
            "PyTorch finds no graphics card here. Run this on a machine that has one, or try it "
            "with --device cpu."
        )
    report = _Report(arguments.json, time.monotonic() + arguments.seconds)
    report.add("machine", partial(_machine, device))
    if arguments.tests:
        report.add("tests marked gpu", _run_gpu_tests)
    for name in arguments.only or BASES:
        bases: list[BaseModel] = []
        report.add(f"{name}: load", partial(_load, name, device, bases))
        for base in bases:
            for title, measurement in measurements_of(base).items():
                report.add(f"{name}: {title}", measurement)
    return int(report.has_failures)


class _Report:
    """The figures so far, in a file that is written anew after each."""

    def __init__(self, file: Path, until: float) -> None:
        self._file, self._until = file, until
        self._figures: dict[str, Figures] = {}
        self.has_failures = False

    def add(self, name: str, measurement: Callable[[], Figures]) -> None:
        """Take figures, or the error by which they could not be had; nothing once time is up."""
        if time.monotonic() >= self._until:
            return
        try:
            found = measurement()
        except (RuntimeError, ValueError, ModelsheetError, OSError) as error:  # the others go on
            found = {"error": f"{type(error).__name__}: {error}"[:500]}
            self.has_failures = True
        self._figures[name] = found
        self._file.write_text(json.dumps(self._figures, indent=2) + "\n", "utf-8")
        print_line(f"{name}: {json.dumps(found)}")


def measurements_of(base: BaseModel) -> Mapping[str, Callable[[], Figures]]:
    """List what is measured of a base model, the cheapest first."""
    found: dict[str, Callable[[], Figures]] = {
        f"step of {batch}": partial(_step, base, batch) for batch in _BATCHES
    }
    found["step of 1, recorded"] = partial(_step, base, _BATCHES[0], cuda_graphs=True)
    found["a step's kernels"] = partial(profile_step, base, batch=_BATCHES[0])
    found["picture"] = partial(_picture, base)
    found["picture, compiled"] = partial(_compiled, base, partial(_picture, base))
    found["step of 1, compiled"] = partial(_compiled, base, partial(_step, base, 1))
    if base.tokenizers:
        found[f"{_JOB_STEPS} steps in all"] = partial(_job, base)
    return found


def _load(name: str, device: torch.device, bases: list[BaseModel]) -> Figures:
    began = time.monotonic()
    if device.type == "cuda":
        torch.cuda.empty_cache()  # of the base before
    bases.append(BASES[name](device))
    return {"seconds": time.monotonic() - began}


def _step(base: BaseModel, batch: int, *, cuda_graphs: bool = False) -> Figures:
    """Time training steps of so many pictures, the preset's prior beside them."""
    if base.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(base.device)
    steps = _TIMED_STEPS + 4 * cuda_graphs
    cost = measure(base, steps, batch, None, cuda_graphs=cuda_graphs)
    return {"steps_per_second": 1 / cost.seconds_per_step, "peak_gib": cost.peak_memory_gib}


def _picture(base: BaseModel) -> Figures:
    """Time a warm picture, by us and by diffusers' pipeline where that takes prompts."""
    side = base.training_resolution
    settings = SamplingSettings(["a cat"], [0], side, side, _PICTURE_STEPS, base.guidance_scale)
    paint = partial(sample_images, base, settings)
    paint()
    figures = {"seconds": min(seconds_of(paint) for _ in range(2))}
    if base.text_encoders:
        bare = partial(generate_with_diffusers, base, "a cat", _PICTURE_STEPS)
        bare()
        figures["of_bare_pipeline"] = figures["seconds"] / min(seconds_of(bare) for _ in range(2))
    return figures


def _compiled(base: BaseModel, measurement: Callable[[], Figures]) -> Figures:
    """Take figures with the denoiser compiled, which captures CUDA graphs."""
    denoiser = base.denoiser
    eager = denoiser.forward
    denoiser.forward = torch.compile(eager, mode="reduce-overhead")
    try:
        return measurement()
    finally:
        denoiser.forward = eager


def _job(base: BaseModel) -> Figures:
    """Time a learning of many steps with its prior and nothing measured, encoding included."""
    side = base.training_resolution
    overrides = TrainingOverrides(training_steps=_JOB_STEPS, batch=1)
    pictures = [drawn_picture().resize((side, side))]
    request = benchmark_request("cat", pictures, base_model=base.id, overrides=overrides)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        standalone_session(base, request, pictures, Path(folder)) as session,
    ):
        for _ in session.trainer.steps():
            pass
    return {"seconds": time.monotonic() - began}


def _machine(device: torch.device) -> Figures:
    is_card = device.type == "cuda"
    name = torch.cuda.get_device_name(device) if is_card else "processor"
    return {"device": name, "torch": torch.__version__, "cuda": torch.version.cuda}


def _run_gpu_tests() -> Figures:
    command = [sys.executable, "-m", "pytest", "-q", "-m", "gpu", "tests"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return {"exit_code": ended.returncode, "summary": ended.stdout.strip()[-300:]}
