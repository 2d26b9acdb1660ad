"""The weights that ship: plain diffusers loads them, they paint, they know a figure's name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.families.stable_diffusion.loading import load
from modelsheet.diffusion.families.stable_diffusion.presets import SPRITE32_BALANCED
from modelsheet.diffusion.models import adapter_hypernetwork
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.diffusion.training.dataset import Instance, encode_instances
from modelsheet.diffusion.training.loss import per_sample_mse
from modelsheet.imaging.openraster import read_layers, render_layer
from modelsheet.prompts.captions import PromptTemplate
from tests.paths import HERO

PROMPT = "human man, wearing red robe, on a white background"


def test_plain_diffusers_loads_and_paints(weights: Path) -> None:
    pipeline = StableDiffusionPipeline.from_pretrained(weights, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)

    picture = np.asarray(
        pipeline(
            PROMPT,
            num_inference_steps=10,
            guidance_scale=5,
            width=32,
            height=32,
            generator=torch.Generator().manual_seed(0),
        ).images[0]
    ).astype(int)

    assert picture.shape == (32, 32, 3)
    assert picture[0].min() > 200  # the background that was asked for
    assert picture[10:24, 12:20].mean() < 200  # and somebody before it


def test_they_fit_the_wheel(weights: Path) -> None:
    files = {file for file in weights.rglob("*") if file.is_file()}
    predictor = weights / adapter_hypernetwork.FILE

    assert sum(file.stat().st_size for file in files - {predictor}) <= 45e6
    assert predictor.stat().st_size <= 5e6


def test_the_predicted_adapter_fits_a_picture_that_it_has_not_seen(weights: Path) -> None:
    files = BaseModelFiles("sprite32", "sprite32", weights, weights)
    base = load(files, weights, torch.device("cpu"))
    *seen, wanted = [render_layer(layer, (32, 32)) for layer in read_layers(HERO)]
    naming = PromptTemplate("qzw", "human woman", "sprite32")
    instances = encode_instances([wanted], ["green cloak"], naming, base)
    without = _denoising_loss(base, instances)
    adapter = TrainableAdapter(base, SPRITE32_BALANCED.shape, seed=0)
    adapter.begin_from(base.initial_adapter(seen))

    assert _denoising_loss(base, instances) < 0.92 * without


@torch.no_grad()
def _denoising_loss(base: BaseModel, instances: Sequence[Instance]) -> float:
    latents = torch.stack([instance.latents for instance in instances])
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    timesteps = torch.linspace(100, 900, len(instances)).long()
    noisy = base.noise_schedule.add_noise(latents, noise, timesteps)
    embeds = base.encode_prompts([instance.prompt for instance in instances])
    target = base.noise_schedule.target(latents, noise, timesteps)
    masks = torch.stack([instance.mask for instance in instances])
    return float(per_sample_mse(base.predict(noisy, timesteps, embeds), target, masks).mean())
