"""`modelsheet bench sd15`: measure the seconds and memory of a training step on a Stable Diffusion
1.5 of its true size with random weights. Nothing is downloaded.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

import psutil
import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from PIL import Image, ImageDraw
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from modelsheet.api.learn import PriorKind, TrainingOverrides
from modelsheet.base_models.locate import CHECKPOINT_CONFIGS, SPRITE32_WEIGHTS
from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion, prepare_base
from modelsheet.diffusion.kernels.packed_conv2d import pack_convolutions
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.batches import PriorExamples
from modelsheet.diffusion.training.dataset import encode_instances, prepare_pictures
from modelsheet.diffusion.training.presets import hyperparameters_for
from modelsheet.diffusion.training.trainer import Trainer
from modelsheet.prompts.captions import PromptTemplate, class_prompts

_WINDOW = 77  # tokens
_LATENT_FACTOR = 8
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


def random_sd15(device: torch.device, dtype: torch.dtype, side: int = 512) -> BaseModel:
    """Make a Stable Diffusion 1.5 by its config files, with random weights, for images of `side`
    px.
    """
    folder = CHECKPOINT_CONFIGS / "sd15"
    text_config = json.loads((folder / "text_encoder" / "config.json").read_text("utf-8"))
    torch.manual_seed(0)
    pipeline = StableDiffusionPipeline(
        vae=AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae")),
        text_encoder=CLIPTextModel(CLIPTextConfig(**text_config)).to(dtype),
        # Its token ids are within the true vocabulary's; their meaning does not matter here.
        tokenizer=CLIPTokenizer.from_pretrained(
            SPRITE32_WEIGHTS / "tokenizer", model_max_length=_WINDOW
        ),
        unet=UNet2DConditionModel.from_config(
            UNet2DConditionModel.load_config(folder / "unet"), sample_size=side // _LATENT_FACTOR
        ).to(dtype),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return prepare_base(StableDiffusion("sd15", "sd15", pipeline, device, dtype))


def measure(base: BaseModel, steps: int, batch: int | None, prior: PriorKind | None) -> StepCost:
    """Train `steps` steps; the first, which warms up, counts only where it is the only one."""
    overrides = TrainingOverrides(training_steps=steps, batch=batch, prior=prior)
    hyperparameters = hyperparameters_for(base.family, "balanced", overrides)
    naming = PromptTemplate("qzw", "cat", base.family)
    began = time.monotonic()
    prepared = prepare_pictures([drawn_picture()], base)
    instances = encode_instances(prepared, [""], naming, base)
    encoded = time.monotonic() - began
    adapter = TrainableAdapter(base, hyperparameters.shape, seed=0)
    examples = PriorExamples(list(class_prompts(naming)))
    times = []
    with pack_convolutions(base.denoiser):
        for _ in Trainer(base, adapter, instances, examples, hyperparameters, seed=0).steps():
            times.append(time.monotonic())
    spans = [
        later - earlier for earlier, later in zip([began + encoded, *times], times, strict=False)
    ]
    counted = spans[1:] or spans
    return StepCost(
        dtype=str(base.dtype).removeprefix("torch."),
        batch=hyperparameters.batch,
        prior_batch=hyperparameters.prior_batch,
        adapter_parameters=sum(p.numel() for n in adapter.names for p in adapter.parameters(n)),
        seconds_to_encode=encoded,
        seconds_per_step=sum(counted) / len(counted),
        peak_memory_gib=peak_bytes(base.device) / 2**30,
    )


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
