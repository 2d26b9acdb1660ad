"""Load a base model and generate one image in a process of its own, timed by `modelsheet bench
speed`.

`python -m modelsheet_benchmarks.speed.first_image FILE`; FILE is a FirstImageSpec.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline
from pydantic import BaseModel

from modelsheet.base_models.locate import locate_base_model


class FirstImageSpec(BaseModel):
    """One image of `prompt`, by Modelsheet or, with `use_diffusers`, by diffusers' pipeline."""

    base_model: str
    data_dir: Path
    prompt: str
    side: int
    inference_steps: int
    guidance_scale: float
    dtype: str
    use_diffusers: bool


def generate_first_image(spec: FirstImageSpec) -> None:
    """Load the base model and generate the image; it is not kept."""
    if not spec.use_diffusers:
        _generate_with_modelsheet(spec)
        return
    pipeline = StableDiffusionPipeline.from_pretrained(
        locate_base_model(spec.base_model, spec.data_dir).path, dtype=getattr(torch, spec.dtype)
    )
    pipeline(
        spec.prompt,
        num_inference_steps=spec.inference_steps,
        guidance_scale=spec.guidance_scale,
        width=spec.side,
        height=spec.side,
    )


def _generate_with_modelsheet(spec: FirstImageSpec) -> None:
    # Imported here, so that diffusers alone is not charged for the imports.
    from modelsheet.diffusion.families.table import load_base_model
    from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images

    base = load_base_model(spec.base_model, spec.data_dir, torch.device("cpu"))
    settings = SamplingSettings(
        [spec.prompt],
        [0],
        spec.side,
        spec.side,
        inference_steps=spec.inference_steps,
        guidance_scale=spec.guidance_scale,
    )
    sample_images(base, settings)


if __name__ == "__main__":
    generate_first_image(FirstImageSpec.model_validate_json(Path(sys.argv[1]).read_text("utf-8")))
