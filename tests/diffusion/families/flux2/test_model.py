"""A tiny FLUX.2 klein predicts, samples and reads prompts as diffusers' pipeline does."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import Flux2KleinPipeline
from PIL import Image

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.families.flux2 import text
from modelsheet.diffusion.families.flux2.loading import load
from modelsheet.diffusion.models.base_model import BaseModel, image_tensor
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.sampling.denoise import DenoisingBatch, InitLatents, Window, denoise
from modelsheet.diffusion.sampling.plain_generation import seeded_noise
from modelsheet.diffusion.sampling.samplers import (
    choose_guidance_scale,
    default_sampler,
    default_steps,
    make_sampler,
)
from modelsheet.diffusion.training import identifier
from modelsheet.diffusion.training.adapter import TrainableAdapter
from modelsheet.errors import InvalidRequest
from tests.diffusion.tiny import write_klein

CPU = torch.device("cpu")
PROMPTS = ["a photo of cat", "red slime in snow"]
SIZE = (4, 6)  # latents of 64 × 96 px


def test_prompts_are_read_as_by_the_whole_pipeline(tmp_path: Path) -> None:
    write_klein(tmp_path)
    whole = Flux2KleinPipeline.from_pretrained(tmp_path)
    base = load(BaseModelFiles("klein", "flux2-klein", tmp_path, tmp_path), tmp_path, CPU)

    with torch.no_grad():
        theirs, ids = whole.encode_prompt(PROMPTS)
    ours = base.encode_prompts(PROMPTS)

    assert len(base.pipeline.text_encoder.model.layers) < len(whole.text_encoder.model.layers)
    torch.testing.assert_close(ours.hidden, theirs)
    assert ours.hidden.shape[1] == ids.shape[1] == text.WINDOW


def batch_of(base: BaseModel, guidance: float, init: InitLatents | None = None) -> DenoisingBatch:
    cond, uncond = base.encode_prompts(PROMPTS), base.encode_prompts([""] * 2)
    noise = seeded_noise(base, [3, 4], 96, 64)
    return DenoisingBatch([Window(cond, uncond)], noise, [guidance] * 2, [], init)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_latents_are_those_of_the_pipeline(klein: BaseModel, guidance: float) -> None:
    theirs = klein.pipeline(
        prompt=PROMPTS,
        latents=seeded_noise(klein, [3, 4], 96, 64),
        num_inference_steps=4,
        guidance_scale=guidance,
        width=96,
        height=64,
        output_type="pt",
    ).images

    latents = denoise(klein, batch_of(klein, guidance), make_sampler(klein, "Euler", 4, SIZE))
    ours = klein.decode_latents(latents)

    torch.testing.assert_close(ours / 2 + 0.5, theirs, rtol=1e-3, atol=1e-3)


def test_references_are_those_of_the_pipeline(klein: BaseModel) -> None:
    rng = np.random.default_rng(0)
    pictures = [
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)) for size in ((64, 96), (80, 64))
    ]
    theirs = klein.pipeline(
        image=pictures,
        prompt=PROMPTS,
        latents=seeded_noise(klein, [3, 4], 96, 64),
        num_inference_steps=2,
        guidance_scale=4.0,
        width=96,
        height=64,
        output_type="pt",
    ).images
    encoded = tuple(klein.encode_images(image_tensor(each)[None])[0] for each in pictures)
    batch = batch_of(klein, 4.0)
    (window,) = batch.windows
    cond, uncond = (replace(e, references=encoded) for e in (window.cond, window.uncond))

    with_references = replace(batch, windows=[Window(cond, uncond)])
    latents = denoise(klein, with_references, make_sampler(klein, "Euler", 2, SIZE))

    ours = klein.decode_latents(latents) / 2 + 0.5
    torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)
    plain = denoise(klein, batch, make_sampler(klein, "Euler", 2, SIZE))
    assert not torch.allclose(latents, plain, atol=1e-2)


def test_latents_outside_the_mask_stay_exactly_as_they_were(klein: BaseModel) -> None:
    latents, mask = torch.randn(2, 16, *SIZE), torch.zeros(SIZE)
    mask[:, 3:] = 1.0
    batch = batch_of(klein, 4.0, InitLatents(latents, 1.0, mask))

    changed = denoise(klein, batch, make_sampler(klein, "Euler", 4, SIZE))

    assert torch.equal(changed[..., :3], latents[..., :3])
    assert not torch.isclose(changed[..., 3:], latents[..., 3:]).any(dim=1).all()


def test_the_distilled_twin_takes_four_steps_without_guidance(
    klein: BaseModel, tmp_path: Path
) -> None:
    write_klein(tmp_path, is_distilled=True)
    twin = load(BaseModelFiles("twin", "flux2-klein", tmp_path, tmp_path), tmp_path, CPU)

    defaults = [
        (default_steps(base, "Euler"), choose_guidance_scale(base, default_sampler(base)))
        for base in (klein, twin)
    ]

    assert defaults == [(50, 4.0), (4, 1.0)]
    assert [choose_guidance_scale(base, "Euler", 7.0) for base in (klein, twin)] == [7.0, 1.0]
    with pytest.raises(InvalidRequest, match="does not paint with DDIM. Take one of: Euler"):
        make_sampler(klein, "DDIM", 4, SIZE)


def test_every_layer_of_the_pictures_stream_and_of_single_blocks_learns(klein: BaseModel) -> None:
    adapter = TrainableAdapter(klein, AdapterShape(2, 0, False, False), seed=0)
    try:
        keys = {key.removeprefix("transformer.").rsplit(".lora_", 1)[0] for key in adapter.state()}
    finally:
        adapter.detach()

    double = ("to_q", "to_k", "to_v", "to_out.0")
    assert keys == {
        *(f"transformer_blocks.{i}.attn.{name}" for i in range(2) for name in double),
        *(f"single_transformer_blocks.{i}.attn.to_qkv_mlp_proj" for i in range(2)),
        *(f"single_transformer_blocks.{i}.attn.to_out" for i in range(2)),
    }


def test_identifiers_are_single_tokens_after_a_space(klein: BaseModel) -> None:
    words = identifier.choose(klein, "cat")

    assert len(words) == 5
    tokenizer = klein.tokenizers[0]
    ids = [tokenizer(f"photo of {word} cat").input_ids for word in words]
    assert {len(each) for each in ids} == {len(tokenizer("photo of red cat").input_ids)}


def test_weights_in_a_prompt_are_refused(klein: BaseModel) -> None:
    plain = klein.encode_weighted_prompt("a photo of \\(cat\\)")

    torch.testing.assert_close(plain.hidden, klein.encode_prompts(["a photo of (cat)"]).hidden)
    with pytest.raises(InvalidRequest, match="knows no weights"):
        klein.encode_weighted_prompt("a photo of (cat:1.2)")
