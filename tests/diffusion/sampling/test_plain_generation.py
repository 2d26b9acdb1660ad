"""Painting: repeatable by seed, independent of the batch, at sizes the base can paint."""

from __future__ import annotations

import numpy as np
import pytest

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import (
    SamplingSettings,
    good_size,
    sample_images,
    scaled_to,
)


def painted(base: BaseModel, prompts: list[str], seeds: list[int]) -> list[np.ndarray]:
    painting = SamplingSettings(prompts, seeds, width=64, height=64, inference_steps=3)
    return [np.asarray(picture) for picture in sample_images(base, painting)]


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_a_picture_depends_on_its_prompt_and_seed_alone(
    family: str, request: pytest.FixtureRequest
) -> None:
    base: BaseModel = request.getfixturevalue(family)

    together = painted(base, ["an imp", "a red slime"], [1, 2])
    alone = painted(base, ["a red slime"], [2])

    assert np.abs(together[1].astype(int) - alone[0].astype(int)).max() <= 1
    assert not np.array_equal(together[0], together[1])


def test_every_step_is_reported_and_may_stop(sd15: BaseModel) -> None:
    steps: list[tuple[int, int]] = []

    def report(done: int, total: int) -> None:
        steps.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample_images(sd15, SamplingSettings(["an imp"], [1], 64, 64, inference_steps=5), report)

    assert steps == [(1, 5), (2, 5)]


@pytest.mark.parametrize(
    ("wanted", "painted_at"),
    [((0, 0), (64, 64)), ((64, 64), (64, 64)), ((1000, 500), (64, 64)), ((30, 10), (64, 64))],
)
def test_sizes_are_near_the_base_s_own(
    sd15: BaseModel, wanted: tuple[int, int], painted_at: tuple[int, int]
) -> None:
    assert good_size(sd15, *wanted) == painted_at


def test_pixel_art_is_enlarged_by_whole_numbers(sd15: BaseModel) -> None:
    from PIL import Image

    small = Image.new("RGB", (2, 1))
    small.putpixel((1, 0), (255, 0, 0))

    grown = scaled_to(small, 6, 3, pixel_art=True)

    assert grown.getpixel((2, 0)) == (0, 0, 0)
    assert grown.getpixel((3, 2)) == (255, 0, 0)
