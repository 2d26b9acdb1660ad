"""Sampling: our loop walks exactly as diffusers' own pipelines do, whatever the sampler."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from modelsheet.api.generate import SamplerName
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.denoise import Run, Start, View, denoise
from modelsheet.diffusion.sampling.plain_generation import starting_noise
from modelsheet.diffusion.sampling.samplers import make_sampler, own_sampler, usual_steps
from modelsheet.errors import InvalidRequest

SAMPLERS = get_args(SamplerName)
PROMPTS = ["an imp", "a red slime"]
STEPS = 4


def run_of(base: BaseModel, start: Start | None = None, guidance: float = 5.0) -> Run:
    embeds, negative = base.encode_prompts(PROMPTS), base.encode_prompts(["a bat"] * 2)
    return Run(
        views=[View(embeds, negative)],
        noise=starting_noise(base, [3, 4], 64, 64),
        guidance=[guidance] * 2,
        generators=[torch.Generator().manual_seed(seed) for seed in (8, 9)],
        start=start,
    )


def theirs(base: BaseModel, name: SamplerName) -> torch.Tensor:
    pipeline = base.pipeline
    own, pipeline.scheduler = pipeline.scheduler, make_sampler(base, name, STEPS).scheduler
    try:
        return pipeline(
            prompt=PROMPTS,
            negative_prompt=["a bat"] * 2,
            latents=starting_noise(base, [3, 4], 64, 64),
            generator=[torch.Generator().manual_seed(seed) for seed in (8, 9)],
            num_inference_steps=STEPS,
            guidance_scale=5.0,
            width=64,
            height=64,
            output_type="latent",
        ).images
    finally:
        pipeline.scheduler = own


@pytest.mark.parametrize(
    ("family", "name"), [*(("sd15", name) for name in SAMPLERS), ("sdxl", "Euler")]
)
def test_a_new_picture_is_the_one_that_diffusers_paints(
    family: str, name: SamplerName, request: pytest.FixtureRequest
) -> None:
    base: BaseModel = request.getfixturevalue(family)

    ours = denoise(base, run_of(base), make_sampler(base, name, STEPS))

    torch.testing.assert_close(ours, theirs(base, name), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_not_free_stays_exactly_as_it_was(name: SamplerName, sd15: BaseModel) -> None:
    latents, free = torch.randn(2, 4, 8, 8), torch.zeros(8, 8)
    free[:, 4:] = 1.0

    changed = denoise(
        sd15, run_of(sd15, Start(latents, 1.0, free)), make_sampler(sd15, name, STEPS)
    )

    assert torch.equal(changed[..., :4], latents[..., :4])
    assert not torch.isclose(changed[..., 4:], latents[..., 4:]).any(dim=1).all()


@pytest.mark.parametrize("name", ["DPM++ 2M Karras", "DDIM", "Euler"])
def test_the_stronger_the_farther_from_what_it_began_with(
    name: SamplerName, sd15: BaseModel
) -> None:
    latents = torch.zeros(2, 4, 8, 8)

    def moved(strength: float) -> float:
        run = run_of(sd15, Start(latents, strength), guidance=1.0)
        return float(denoise(sd15, run, make_sampler(sd15, name, 10)).square().mean())

    assert moved(0.1) < moved(0.5) < moved(1.0)


def test_views_that_say_the_same_are_as_one(sd15: BaseModel) -> None:
    run = run_of(sd15)
    (view,) = run.views
    half = torch.full((8, 8), 0.5)
    twice = [View(view.embeds, view.negative, weight=half) for _ in range(2)]

    one = denoise(sd15, run, make_sampler(sd15, "DDIM", STEPS))
    both = denoise(
        sd15,
        Run(twice, run.noise, run.guidance, run.generators),
        make_sampler(sd15, "DDIM", STEPS),
    )

    torch.testing.assert_close(both, one, rtol=1e-4, atol=1e-4)


def test_a_sampler_knows_its_steps(sd15: BaseModel) -> None:
    assert own_sampler(sd15) == "DDIM"
    assert all(1 <= usual_steps(name) <= 50 for name in SAMPLERS)
    with pytest.raises(InvalidRequest, match="LCM takes at most 50 steps, not 60"):
        make_sampler(sd15, "LCM", 60)
