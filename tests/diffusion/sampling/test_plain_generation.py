"""Plain generation is repeatable by seed and independent of the batch."""

from __future__ import annotations

import numpy as np
import pytest

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import SamplingSettings, sample_images


def generate(base: BaseModel, prompts: list[str], seeds: list[int]) -> list[np.ndarray]:
    settings = SamplingSettings(prompts, seeds, width=64, height=64, inference_steps=3)
    return [np.asarray(image) for image in sample_images(base, settings)]


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
def test_an_image_depends_on_its_prompt_and_seed_alone(
    family: str, request: pytest.FixtureRequest
) -> None:
    base: BaseModel = request.getfixturevalue(family)

    together = generate(base, ["an imp", "a red slime"], [1, 2])
    alone = generate(base, ["a red slime"], [2])

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
