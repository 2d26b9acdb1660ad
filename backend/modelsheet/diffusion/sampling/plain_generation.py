"""Plain text-to-image generation with a base model and the adapters active on it: no job, no
mask, no regions. Used by training and benchmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel, to_pil_images
from modelsheet.diffusion.sampling.denoise import DenoisingBatch, Window, denoise, sample_noise
from modelsheet.diffusion.sampling.samplers import default_sampler, make_sampler

# Called after every denoising step with (steps done, steps in all); may raise to stop.
ProgressCallback = Callable[[int, int], None]


@dataclass(frozen=True)
class SamplingSettings:
    """Parameters of a batch: one prompt and seed per image. Sizes in px. `references` are encoded
    pictures that condition all of them.
    """

    prompts: Sequence[str]
    seeds: Sequence[int]
    width: int
    height: int
    inference_steps: int = 25
    guidance_scale: float = 5.0
    negative_prompt: str = ""
    references: tuple[torch.Tensor, ...] = ()


def sample_images(
    base: BaseModel, settings: SamplingSettings, report: ProgressCallback | None = None
) -> list[Image.Image]:
    """Generate RGB images. Each depends on its prompt and seed alone, not on its neighbours."""
    latents = sample_latents(base, settings, report)
    return to_pil_images(base.decode_latents(latents))


def sample_latents(
    base: BaseModel, settings: SamplingSettings, report: ProgressCallback | None = None
) -> torch.Tensor:
    """Sample scaled latents (B, C, h, w), fp32, with the base's default sampler."""
    with torch.inference_mode():
        cond = base.encode_prompts(settings.prompts)
        uncond = base.encode_prompts([settings.negative_prompt] * len(settings.prompts))
        cond = base.with_references(cond, settings.references, is_negative=False)
        uncond = base.with_references(uncond, settings.references, is_negative=True)
    noise = seeded_noise(base, settings.seeds, settings.width, settings.height)
    batch = DenoisingBatch(
        windows=[Window(cond, uncond)],
        noise=noise,
        guidance_scales=[settings.guidance_scale] * len(settings.prompts),
        generators=[],
        callback_on_step_end=None
        if report is None
        else lambda pred_x0, done, total: report(done, total),
    )
    sampler = make_sampler(base, default_sampler(base), settings.inference_steps, noise.shape[-2:])
    return denoise(base, batch, sampler).clone()


def seeded_noise(base: BaseModel, seeds: Sequence[int], width: int, height: int) -> torch.Tensor:
    """Sample noise (B, C, h, w) from one seed per image. Sizes in px."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return sample_noise(base, generators, width, height)
