"""`modelsheet bench klein`: measure the seconds and memory of a training step, of a painting step
and of the text encoder on a FLUX.2 klein of its true size with random weights. Nothing is
downloaded.

The text encoder is measured apart (`--text`): learning frees it once the prompts are encoded, and
both together do not fit small machines.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from transformers import Qwen3Config, Qwen3ForCausalLM

from modelsheet.base_models.locate import CHECKPOINT_CONFIGS
from modelsheet.diffusion.families.flux2 import text
from modelsheet.diffusion.families.flux2.model import Flux2Klein
from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_latents
from modelsheet_benchmarks.speed.sd15_step import measure, peak_bytes
from modelsheet_benchmarks.speed.step_profile import profile_step

_CONFIGS = CHECKPOINT_CONFIGS / "flux2-klein"
_LEAST_SIDE = 64  # px


@dataclass(frozen=True)
class RandomTextKlein(Flux2Klein):
    """A klein without a text encoder: prompts are random numbers of the true shape."""

    def tokenize(self, prompts: Sequence[str]) -> list[torch.Tensor]:
        return [torch.zeros(len(prompts), 1)]

    def encode_tokens(self, tokens: Sequence[torch.Tensor]) -> PromptEmbeds:
        width = self.denoiser.config.joint_attention_dim
        return PromptEmbeds(torch.randn(len(tokens[0]), text.WINDOW, width).to(self.device))


@dataclass(frozen=True)
class PaintingCost:
    """Seconds of a step of one picture, guidance included; memory is the process's peak."""

    seconds_per_painting_step: float
    peak_memory_gib: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--steps", type=int, default=3, help="(%(default)s)")
    parser.add_argument("--side", type=int, default=512, help="px of a picture (%(default)s)")
    parser.add_argument("--batch", type=int, help="instead of the preset's")
    parser.add_argument("--prior", choices=("no-images", "none"), help="instead of the preset's")
    parser.add_argument("--checkpointing", action="store_true", help="compute activations twice")
    parser.add_argument("--profile", action="store_true", help="count a step's kernels too")
    parser.add_argument("--text", action="store_true", help="measure the text encoder instead")
    parser.add_argument("--device", default="cpu", help="(%(default)s)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Measure and print the cost as JSON; return the exit code."""
    device = torch.device(arguments.device)
    if arguments.text:
        found: dict[str, Any] = {"seconds_to_encode_a_prompt": seconds_to_encode(device)}
        found["peak_memory_gib"] = peak_bytes(device) / 2**30
    else:
        base = random_klein(device, max(_LEAST_SIDE, arguments.side))
        painted = measure_painting(base, arguments.steps)
        sys.stderr.write(json.dumps({"painting": asdict(painted)}) + "\n")  # learning takes longer
        if arguments.checkpointing:
            base.denoiser.enable_gradient_checkpointing()
        learnt = measure(base, arguments.steps, arguments.batch, arguments.prior)
        found = {"painting": asdict(painted), "learning": asdict(learnt)}
        if arguments.profile:
            found["profile"] = profile_step(base, learnt.batch)
    print(json.dumps(found, indent=2))  # noqa: T201 -- a program, asked for its figures
    return 0


def random_klein(device: torch.device, side: int, **changes: int) -> Flux2Klein:
    """Make a klein with random weights in bf16 that learns from pictures of `side` px.

    `changes` are of its transformer's config.
    """
    torch.manual_seed(0)
    with torch.device("meta"):
        config = Flux2Transformer2DModel.load_config(_CONFIGS / "transformer")
        transformer = Flux2Transformer2DModel.from_config({**config, **changes})
    pipeline = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(_CONFIGS / "scheduler"),
        vae=AutoencoderKLFlux2(sample_size=2 * side),  # it learns at half of that
        text_encoder=None,
        tokenizer=None,
        transformer=_randomized(transformer, device),
    )
    base = RandomTextKlein("flux2-klein", "flux2-klein", pipeline, device, torch.bfloat16)
    for module in base.modules():
        module.requires_grad_(False).eval().to(device)
    return base


def measure_painting(base: BaseModel, steps: int) -> PaintingCost:
    """Paint one picture at the side that is learnt, as many steps."""
    side = base.training_resolution
    settings = SamplingSettings(["a cat"], [0], side, side, steps, base.guidance_scale)
    began = time.monotonic()
    sample_latents(base, settings)
    _synchronize(base.device)
    seconds = (time.monotonic() - began) / steps
    return PaintingCost(seconds, peak_bytes(base.device) / 2**30)


def seconds_to_encode(device: torch.device) -> float:
    """Encode one prompt with a text encoder of the true size, as far as it is read."""
    with torch.device("meta"):
        encoder = Qwen3ForCausalLM(Qwen3Config.from_pretrained(_CONFIGS / "text_encoder"))
    text.drop_unused_layers(encoder)
    encoder = _randomized(encoder, device)
    encoder.model.rotary_emb = type(encoder.model.rotary_emb)(encoder.config).to(device)
    ids = torch.zeros(1, text.WINDOW, dtype=torch.long, device=device)
    began = time.monotonic()
    with torch.inference_mode():
        text.encode(encoder, ids, torch.ones_like(ids))
    _synchronize(device)
    return time.monotonic() - began


def _randomized(network: Any, device: torch.device) -> Any:
    """Fill a network of the meta device with random weights in bf16, on `device`."""
    network = network.to(torch.bfloat16).to_empty(device=device)
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.fill_(1.0)
            else:
                bound = (3 / parameter.shape[-1]) ** 0.5
                parameter.uniform_(-bound, bound)
    return network.eval()


def _synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
