"""The weights that ship: plain diffusers loads them, they paint, they know a figure's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline

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
    size = sum(file.stat().st_size for file in weights.rglob("*") if file.is_file())

    assert size <= 45e6
