"""Generate images by diffusers' own pipeline, as the baseline of benchmarks."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelsheet.diffusion.models.base_model import BaseModel, to_pil_images


def generate_with_diffusers(base: BaseModel, prompt: str, steps: int) -> None:
    """Generate one image by diffusers' pipeline on the loaded base, with its fp32 autoencoder."""
    latents = base.pipeline(
        prompt,
        num_inference_steps=steps,
        guidance_scale=base.guidance_scale,
        width=base.resolution,
        height=base.resolution,
        output_type="latent",
    ).images
    to_pil_images(base.decode_latents(latents))


def seconds_of(function: Callable[[], object]) -> float:
    """Call a function; return the wall time in seconds."""
    began = time.perf_counter()
    function()
    return time.perf_counter() - began
