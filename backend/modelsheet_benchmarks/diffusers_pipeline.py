"""Painting without us: diffusers' own pipeline, that benchmarks compare with."""

from __future__ import annotations

import time
from collections.abc import Callable

from modelsheet.diffusion.models.base_model import BaseModel, to_pil_images


def paint_barely(base: BaseModel, prompt: str, steps: int) -> None:
    """By diffusers' own pipeline, on the parts that we loaded; the autoencoder's are in fp32."""
    latents = base.pipeline(
        prompt,
        num_inference_steps=steps,
        guidance_scale=base.guidance_scale,
        width=base.resolution,
        height=base.resolution,
        output_type="latent",
    ).images
    to_pil_images(base.decode_latents(latents))


def seconds_of(act: Callable[[], object]) -> float:
    """Do it, and say how long it took."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began
