"""Class pictures are painted once by the bare base and kept under all that shapes them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training import class_images
from modelsheet.jobs.protocol import JobSuspended
from tests.diffusion.conftest import Tiny

PROMPTS = ["a photo of imp", "a photo of imp, in the snow"]


def refuse(step: int, total: int) -> None:
    pytest.fail(f"painted again: step {step} of {total}")


def test_they_are_latents_of_the_base_s_size_and_painted_once(
    sd15: BaseModel, tmp_path: Path
) -> None:
    latents, prompts = class_images.class_latents(sd15, PROMPTS, tmp_path)

    again, _ = class_images.class_latents(sd15, PROMPTS, tmp_path, refuse)

    assert latents.shape == (class_images.CLASS_IMAGES, 4, 8, 8)
    assert prompts == PROMPTS * (class_images.CLASS_IMAGES // 2)
    assert torch.equal(latents, again)
    assert len(list(tmp_path.iterdir())) == 1


def test_one_who_steps_aside_goes_on_with_the_batch_that_was_not_done(
    sd15: BaseModel, tmp_path: Path
) -> None:
    whole, _ = class_images.class_latents(sd15, PROMPTS, tmp_path / "calm")
    cache, seen = tmp_path / "disturbed", []

    def step_aside(step: int, total: int) -> None:
        seen.append(step)
        if len(seen) == total + 3:
            raise JobSuspended

    with pytest.raises(JobSuspended):
        class_images.class_latents(sd15, PROMPTS, cache, step_aside)
    seen_before = len(seen)
    resumed, _ = class_images.class_latents(sd15, PROMPTS, cache, step_aside)

    assert torch.equal(resumed, whole)
    assert len(seen) - seen_before == 2 * class_images.CLASS_INFERENCE_STEPS
    assert len(list(cache.iterdir())) == 1


def test_a_cache_that_cannot_be_written_costs_time_alone(sd15: BaseModel, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where a folder should be")

    latents, _ = class_images.class_latents(sd15, PROMPTS, tmp_path / "cache" / "pictures")

    assert len(latents) == class_images.CLASS_IMAGES


def test_a_damaged_file_is_painted_anew(sd15: BaseModel, tmp_path: Path) -> None:
    latents, _ = class_images.class_latents(sd15, PROMPTS, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-9])

    again, _ = class_images.class_latents(sd15, PROMPTS, tmp_path)

    assert torch.equal(latents, again)


def test_another_base_or_prompt_has_other_pictures(fresh: Tiny) -> None:
    base = fresh("epsilon", False)
    before = class_images._key(base, PROMPTS)

    assert class_images._key(base, PROMPTS[:1]) != before
    last = list(base.unet.parameters())[-1]
    last.data += 1e-3
    assert class_images._key(base, PROMPTS) != before
