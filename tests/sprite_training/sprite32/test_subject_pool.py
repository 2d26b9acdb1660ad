"""The pool's batches: no subject is painted from the picture that shows it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from sprite_training.sprite32.subject_pool import PICTURES, SubjectComposer, SubjectPool
from sprite_training.sprite32.tiles import TileSet

SUBJECTS = 12


def _encode(images: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(images, 2)


@pytest.fixture
def pool(archive: Path) -> SubjectPool:
    composer = SubjectComposer(TileSet.load(archive), np.random.default_rng(3))
    return SubjectPool(composer, SUBJECTS, _encode, ["qzw"])


def test_a_subject_keeps_its_own_parts(archive: Path) -> None:
    composer = SubjectComposer(TileSet.load(archive), np.random.default_rng(1))

    for _ in range(30):
        subject = composer.compose()
        assert len(subject.images) == PICTURES
        plain = [image.pixels for image in subject.images if not image.details]
        assert all(np.array_equal(one, plain[0]) for one in plain)


def test_what_is_painted_is_never_shown(pool: SubjectPool) -> None:
    for _ in range(20):
        batch = pool.draw(4, 3, 2)
        shown = batch.pictures[:, :, 3].flatten(2).sum(2)  # opaque pixels
        assert shown[batch.present == 1].min() > 0
        assert batch.present.sum(1).min() >= 1
        assert batch.present.shape[1] < PICTURES
        assert batch.latents.shape == (14, 3, 16, 16)
        assert batch.masks.shape == (14, 1, 16, 16)


def test_prompts_have_the_identifier_but_those_of_the_class(pool: SubjectPool) -> None:
    batch = pool.draw(4, 3, 5)

    assert batch.class_pictures == 5
    assert len(batch.prompts) == len(batch.owners) == 17
    assert not any("qzw" in prompt for prompt in batch.prompts[-5:])
    assert all("qzw" in prompt for prompt in batch.prompts[:-5] if prompt)


def test_new_subjects_take_the_place_of_the_oldest(pool: SubjectPool) -> None:
    before = dict(pool._subjects)
    pool.refresh(2)

    replaced = [index for index, subject in pool._subjects.items() if subject is not before[index]]
    assert replaced == [0, 1]
