"""Painting pictures from prompts with the base model as it is, adapters applied or not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.denoise import Run, View, denoise
from modelsheet.diffusion.sampling.samplers import make_sampler, own_sampler
from modelsheet.imaging.rgba import enlarge_pixels, resize

# Called after every denoising step with (steps done, steps in all); may raise to stop.
ProgressCallback = Callable[[int, int], None]
_LARGEST_FACTOR = 1.5  # beyond this a base repeats its subject


@dataclass(frozen=True)
class SamplingSettings:
    """What to paint: one prompt and seed per picture. Sizes in px."""

    prompts: Sequence[str]
    seeds: Sequence[int]
    width: int
    height: int
    inference_steps: int = 25
    guidance_scale: float = 5.0
    negative_prompt: str = ""


def good_size(base: BaseModel, width: int, height: int) -> tuple[int, int]:
    """The size to paint at for a wanted one: of its proportions, near the base's own resolution.

    0 stands for the base's resolution. Sides are multiples of what the UNet can halve.
    """
    side = base.resolution
    wanted = (width or side, height or side)
    factor = side / max(wanted)
    step = size_step(base)
    longest = int(side * _LARGEST_FACTOR)
    sizes = [max(step, min(longest, round(w * factor / step) * step)) for w in wanted]
    return sizes[0], sizes[1]


def size_step(base: BaseModel) -> int:
    """What the sides of a painting are multiples of, in px: what the UNet can halve."""
    return base.latent_factor * int(2 ** (len(base.unet.config.block_out_channels) - 1))


def sample_images(
    base: BaseModel, painting: SamplingSettings, report: ProgressCallback | None = None
) -> list[Image.Image]:
    """Paint RGB pictures. A picture depends on its prompt and seed alone, not on its neighbours."""
    latents = sample_latents(base, painting, report)
    return to_images(base.decode_latents(latents))


def sample_latents(
    base: BaseModel, painting: SamplingSettings, report: ProgressCallback | None = None
) -> torch.Tensor:
    """Run the base's own sampler; scaled latents (B, C, h, w), fp32."""
    with torch.inference_mode():
        embeds = base.encode_prompts(painting.prompts)
        negative = base.encode_prompts([painting.negative_prompt] * len(painting.prompts))
    run = Run(
        views=[View(embeds, negative)],
        noise=starting_noise(base, painting.seeds, painting.width, painting.height),
        guidance=[painting.guidance_scale] * len(painting.prompts),
        generators=[],
        watch=None if report is None else lambda look, done, total: report(done, total),
    )
    sampler = make_sampler(base, own_sampler(base), painting.inference_steps)
    return denoise(base, run, sampler).clone()


def starting_noise(base: BaseModel, seeds: Sequence[int], width: int, height: int) -> torch.Tensor:
    """Each picture's own noise (B, C, h, w), drawn on the CPU so that every device paints alike."""
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    return draw_noise(base, generators, width, height)


def draw_noise(
    base: BaseModel, generators: Sequence[torch.Generator], width: int, height: int
) -> torch.Tensor:
    channels = int(base.unet.config.in_channels)
    shape = (channels, height // base.latent_factor, width // base.latent_factor)
    return torch.stack([torch.randn(shape, generator=each) for each in generators]).to(base.device)


def to_images(images: torch.Tensor) -> list[Image.Image]:
    """(B, 3, H, W) in [-1, 1] to RGB pictures."""
    levels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return [Image.fromarray(each.permute(1, 2, 0).cpu().numpy()) for each in levels]


def scaled_to(picture: Image.Image, width: int, height: int, *, pixel_art: bool) -> Image.Image:
    """Bring a picture to the wanted size: pixel art by whole numbers where they fit."""
    if (width, height) == picture.size:
        return picture
    factor = width // picture.width
    if (
        pixel_art
        and factor
        and (picture.width * factor, picture.height * factor) == (width, height)
    ):
        return enlarge_pixels(picture, factor)
    return resize(picture, width, height)
