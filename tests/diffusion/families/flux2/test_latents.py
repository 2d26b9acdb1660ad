"""The layout of latents is that of diffusers' pipeline."""

from __future__ import annotations

import torch
from diffusers import Flux2KleinPipeline

from modelsheet.diffusion.families.flux2.latents import (
    denormalise,
    image_ids,
    normalise,
    pack,
    patchify,
    text_ids,
    unpack,
    unpatchify,
)
from modelsheet.diffusion.models.base_model import BaseModel

CPU = torch.device("cpu")
LATENTS = torch.randn(2, 4, 6, 10, generator=torch.Generator().manual_seed(0))


def test_patches_are_those_of_the_pipeline() -> None:
    patches = patchify(LATENTS)

    assert torch.equal(patches, Flux2KleinPipeline._patchify_latents(LATENTS))
    assert torch.equal(unpatchify(patches), LATENTS)
    assert torch.equal(unpatchify(patches), Flux2KleinPipeline._unpatchify_latents(patches))


def test_tokens_are_those_of_the_pipeline() -> None:
    patches = patchify(LATENTS)
    ids = Flux2KleinPipeline._prepare_latent_ids(patches)

    assert torch.equal(pack(patches), Flux2KleinPipeline._pack_latents(patches))
    assert torch.equal(
        unpack(pack(patches), (3, 5)),
        Flux2KleinPipeline._unpack_latents_with_ids(pack(patches), ids),
    )


def test_places_are_those_of_the_pipeline() -> None:
    first, second = torch.zeros(1, 16, 3, 5), torch.zeros(1, 16, 2, 4)
    references = Flux2KleinPipeline._prepare_image_ids([first, second])[0]

    assert torch.equal(image_ids((3, 5), CPU), Flux2KleinPipeline._prepare_latent_ids(first)[0])
    assert torch.equal(
        torch.cat([image_ids((3, 5), CPU, 1), image_ids((2, 4), CPU, 2)]), references
    )
    assert torch.equal(
        text_ids(7, CPU), Flux2KleinPipeline._prepare_text_ids(torch.zeros(1, 7, 3))[0]
    )


def test_latents_are_normalised_as_by_the_pipeline(klein: BaseModel) -> None:
    images = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(1)) * 2 - 1
    with torch.no_grad():
        theirs = klein.pipeline._encode_vae_image(images, None)

    ours = klein.encode_images(images)

    torch.testing.assert_close(ours, theirs)
    raw = denormalise(ours, klein.vae)
    torch.testing.assert_close(normalise(raw, klein.vae), ours)
    assert not torch.allclose(raw, ours)
