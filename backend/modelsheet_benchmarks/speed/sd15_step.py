"""`modelsheet bench sd15`: measure the seconds and memory of a training step on a Stable Diffusion
1.5 of its true size with random weights. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import psutil
import torch
from PIL import Image, ImageDraw

from modelsheet.api.learn import PriorKind, TrainingOverrides
from modelsheet.diffusion.kernels.packed_conv2d import pack_convolutions
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import PriorExamples
from modelsheet.diffusion.training.dataset import encode_instances, prepare_pictures
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.trainer import Trainer
from modelsheet.prompts.captions import PromptTemplate, class_prompts
from modelsheet_benchmarks.speed.random_stable_diffusion import random_sd15

_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@dataclass(frozen=True)
class StepCost:
    """The cost of a step with the preset's hyper-parameters; memory is the process's peak."""

    dtype: str
    batch: int
    prior_batch: int
    adapter_parameters: int
    seconds_to_encode: float
    seconds_per_step: float
    peak_memory_gib: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--batch", type=int, help="instead of the preset's")
    parser.add_argument("--prior", choices=("no-images", "none"), help="instead of the preset's")
    parser.add_argument("--dtype", choices=tuple(_DTYPES), default="float32")
    parser.add_argument("--device", default="cpu", help="(%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the cost as JSON; return the exit code."""
    device, dtype = torch.device(arguments.device), _DTYPES[arguments.dtype]
    cost = measure(random_sd15(device, dtype), arguments.steps, arguments.batch, arguments.prior)
    print(json.dumps(asdict(cost), indent=2))  # noqa: T201 -- a program, asked for its figures
    return 0


def measure(
    base: BaseModel,
    steps: int,
    batch: int | None,
    prior: PriorKind | None,
    *,
    cuda_graphs: bool = False,
) -> StepCost:
    """Train `steps` steps; those that warm up, the first or the four until one is recorded, count
    only where there are no others.
    """
    overrides = TrainingOverrides(
        training_steps=steps, batch=batch, prior=prior, cuda_graphs=cuda_graphs
    )
    began = time.monotonic()
    with open_training(base, overrides) as trainer:
        encoded, times = time.monotonic(), []
        for _ in trainer.steps():
            times.append(time.monotonic())
        adapter, hyperparameters = trainer.adapter, trainer.hyperparameters
        trained = sum(p.numel() for n in adapter.names for p in adapter.parameters(n))
    spans = [later - earlier for earlier, later in zip([encoded, *times], times, strict=False)]
    counted = spans[4 if cuda_graphs else 1 :] or spans
    return StepCost(
        dtype=str(base.dtype).removeprefix("torch."),
        batch=hyperparameters.batch,
        prior_batch=hyperparameters.prior_batch,
        adapter_parameters=trained,
        seconds_to_encode=encoded - began,
        seconds_per_step=sum(counted) / len(counted),
        peak_memory_gib=peak_bytes(base.device) / 2**30,
    )


@contextmanager
def open_training(base: BaseModel, overrides: TrainingOverrides) -> Iterator[Trainer]:
    """Prepare the training of *balanced* on one drawn picture; the base is as before afterwards."""
    hyperparameters = hyperparameters_for(base.family, "balanced", overrides)
    naming = PromptTemplate("qzw", "cat", base.family)
    instances = encode_instances(prepare_pictures([drawn_picture()], base), [""], naming, base)
    adapter = TrainableAdapter(base, hyperparameters.shape, seed=0)
    examples = PriorExamples(list(class_prompts(naming)))
    try:
        with pack_convolutions(base.denoiser):
            yield Trainer(base, adapter, instances, examples, hyperparameters, seed=0)
    finally:
        adapter.detach()


def peak_bytes(device: torch.device) -> int:
    """Return the process's peak of memory, on a GPU its own allocations there."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    else:
        import resource

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def drawn_picture() -> Image.Image:
    """Draw an ellipse, 640 px: a picture to train on where only the cost is measured."""
    picture = Image.new("RGB", (640, 640), (200, 190, 170)).convert("RGBA")
    ImageDraw.Draw(picture).ellipse((120, 100, 500, 560), fill=(180, 60, 30, 255))
    return picture
