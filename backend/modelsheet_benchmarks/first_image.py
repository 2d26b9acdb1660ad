"""From nothing to a picture, in a process of its own: what `modelsheet bench speed` times.

`python -m modelsheet_benchmarks.first_image FILE`; FILE is an `Order`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from pydantic import BaseModel

from modelsheet.base_models.catalogue import locate_base_model


class Order(BaseModel):
    """One picture of `prompt`, by our own road, or `bare`: by diffusers' pipeline alone."""

    base_model: str
    data_dir: Path
    prompt: str
    side: int
    inference_steps: int
    guidance_scale: float
    dtype: str
    bare: bool


def carry_out(order: Order) -> None:
    if not order.bare:
        _by_our_road(order)
        return
    pipeline = StableDiffusionPipeline.from_pretrained(
        locate_base_model(order.base_model, order.data_dir).path, dtype=getattr(torch, order.dtype)
    )
    pipeline(
        order.prompt,
        num_inference_steps=order.inference_steps,
        guidance_scale=order.guidance_scale,
        width=order.side,
        height=order.side,
    )


def _by_our_road(order: Order) -> None:
    # Imported here, lest the bare road pay for them.
    from modelsheet.diffusion.models.base_model import load_base_model
    from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images

    base = load_base_model(order.base_model, order.data_dir, torch.device("cpu"))
    painting = SamplingSettings(
        [order.prompt],
        [0],
        order.side,
        order.side,
        inference_steps=order.inference_steps,
        guidance_scale=order.guidance_scale,
    )
    sample_images(base, painting)


if __name__ == "__main__":
    carry_out(Order.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))
