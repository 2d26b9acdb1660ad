"""The denoising loop gives the latents of diffusers' own pipelines, with every sampler."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any, get_args

import pytest
import torch

from modelsheet.api.generate import SamplerName
from modelsheet.diffusion.kernels.packed_conv2d import PackedConv2d
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling import denoise as denoising
from modelsheet.diffusion.sampling.denoise import (
    DenoisingBatch,
    InitLatents,
    PredictedX0,
    Window,
    denoise,
)
from modelsheet.diffusion.sampling.plain_generation import seeded_noise
from modelsheet.diffusion.sampling.samplers import default_sampler, default_steps, make_sampler
from modelsheet.errors import InvalidRequest

SAMPLERS = get_args(SamplerName)
PROMPTS = ["an imp", "a red slime"]
STEPS = 4
SIZE = (8, 8)  # latents


def batch_of(
    base: BaseModel, init: InitLatents | None = None, guidance: float = 5.0
) -> DenoisingBatch:
    cond, uncond = base.encode_prompts(PROMPTS), base.encode_prompts(["a bat"] * 2)
    return DenoisingBatch(
        windows=[Window(cond, uncond)],
        noise=seeded_noise(base, [3, 4], 64, 64),
        guidance_scales=[guidance] * 2,
        generators=[torch.Generator().manual_seed(seed) for seed in (8, 9)],
        init=init,
    )


def latents_of_diffusers(base: BaseModel, name: SamplerName) -> torch.Tensor:
    pipeline = base.pipeline
    own, pipeline.scheduler = pipeline.scheduler, make_sampler(base, name, STEPS, SIZE).scheduler
    try:
        return pipeline(
            prompt=PROMPTS,
            negative_prompt=["a bat"] * 2,
            latents=seeded_noise(base, [3, 4], 64, 64),
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
def test_latents_are_those_of_diffusers(
    family: str, name: SamplerName, request: pytest.FixtureRequest
) -> None:
    base: BaseModel = request.getfixturevalue(family)

    ours = denoise(base, batch_of(base), make_sampler(base, name, STEPS, SIZE))

    torch.testing.assert_close(ours, latents_of_diffusers(base, name), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", SAMPLERS)
def test_latents_outside_the_mask_stay_exactly_as_they_were(
    name: SamplerName, sd15: BaseModel
) -> None:
    latents, mask = torch.randn(2, 4, 8, 8), torch.zeros(8, 8)
    mask[:, 4:] = 1.0

    changed = denoise(
        sd15, batch_of(sd15, InitLatents(latents, 1.0, mask)), make_sampler(sd15, name, STEPS, SIZE)
    )

    assert torch.equal(changed[..., :4], latents[..., :4])
    assert not torch.isclose(changed[..., 4:], latents[..., 4:]).any(dim=1).all()


@pytest.mark.parametrize("name", ["DPM++ 2M Karras", "DDIM", "Euler"])
def test_the_stronger_the_farther_from_what_it_began_with(
    name: SamplerName, sd15: BaseModel
) -> None:
    latents = torch.zeros(2, 4, 8, 8)

    def moved(strength: float) -> float:
        batch = batch_of(sd15, InitLatents(latents, strength), guidance=1.0)
        return float(denoise(sd15, batch, make_sampler(sd15, name, 10, SIZE)).square().mean())

    assert moved(0.1) < moved(0.5) < moved(1.0)


def test_windows_of_the_same_prompt_are_as_one(sd15: BaseModel) -> None:
    batch = batch_of(sd15)
    (window,) = batch.windows
    half = torch.full((8, 8), 0.5)
    twice = [Window(window.cond, window.uncond, weight=half) for _ in range(2)]

    one = denoise(sd15, batch, make_sampler(sd15, "DDIM", STEPS, SIZE))
    both = denoise(
        sd15,
        DenoisingBatch(twice, batch.noise, batch.guidance_scales, batch.generators),
        make_sampler(sd15, "DDIM", STEPS, SIZE),
    )

    torch.testing.assert_close(both, one, rtol=1e-4, atol=1e-4)


def test_the_halves_of_guidance_are_the_same_by_threads(
    sd15: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[set[int]] = []
    predict = type(sd15).predict

    def note(*arguments: Any) -> torch.Tensor:
        threads[-1].add(threading.get_ident())
        assert torch.is_inference_mode_enabled()
        return predict(*arguments)

    monkeypatch.setattr(type(sd15), "predict", note)
    latents = []
    for cores, least in ((1, 2), (2, 3), (2, 2)):
        monkeypatch.setenv("OMP_NUM_THREADS", str(cores))
        monkeypatch.setattr(denoising, "_LEAST_HALF", least)
        threads.append(set())
        sampler = make_sampler(sd15, "DDIM", STEPS, SIZE)
        latents.append(denoise(sd15, batch_of(sd15), sampler))

    assert torch.get_num_threads() == 1
    assert [len(each) > 1 for each in threads] == [False, False, True]
    assert torch.equal(latents[1], latents[0])
    torch.testing.assert_close(latents[2], latents[0], rtol=1e-4, atol=1e-4)


def test_a_sampler_knows_its_steps(sd15: BaseModel) -> None:
    assert default_sampler(sd15) == "DDIM"
    assert all(1 <= default_steps(sd15, name) <= 50 for name in SAMPLERS)
    with pytest.raises(InvalidRequest, match="LCM takes at most 50 steps, not 60"):
        make_sampler(sd15, "LCM", 60, SIZE)


def test_convolutions_are_packed_while_it_runs(sd15: BaseModel) -> None:
    packed = []

    def note(pred_x0: PredictedX0, done: int, total: int) -> None:
        packed.append([type(m) for m in sd15.unet.modules()].count(PackedConv2d))

    sampler = make_sampler(sd15, default_sampler(sd15), STEPS, SIZE)
    denoise(sd15, replace(batch_of(sd15), callback_on_step_end=note), sampler)
    assert min(packed) > 0
    assert not any(isinstance(m, PackedConv2d) for m in sd15.unet.modules())
