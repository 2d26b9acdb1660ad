"""Pivotal tuning: the identifier's own embedding, learnt with the adapter and kept in its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.identifier_embedding import (
    IdentifierEmbedding,
    apply_embeddings,
    identifier_token,
    read_embeddings,
)
from modelsheet.diffusion.training import identifier
from tests.diffusion.training.test_trainer import HYPERPARAMETERS, make_trainer

BASES = ("sd15", "sdxl")


def encoded(base: BaseModel, prompt: str) -> torch.Tensor:
    with torch.no_grad():
        return base.encode_prompts([prompt]).hidden


@pytest.fixture(params=BASES)
def base(request: pytest.FixtureRequest) -> BaseModel:
    found: BaseModel = request.getfixturevalue(request.param)
    return found


def test_an_embedding_replaces_its_own_token_alone(base: BaseModel) -> None:
    word = identifier.candidates(base)[0]
    before = encoded(base, "a photo of imp"), encoded(base, f"a photo of {word} imp")

    rows = IdentifierEmbedding.from_class_noun(base, word, "imp")
    other, own = encoded(base, "a photo of imp"), encoded(base, f"a photo of {word} imp")
    rows.scale = 0.0
    off = encoded(base, f"a photo of {word} imp")
    rows.remove()

    assert torch.equal(other, before[0])
    assert not torch.equal(own, before[1])
    assert torch.equal(off, before[1])
    assert torch.equal(encoded(base, f"a photo of {word} imp"), before[1])


def test_it_begins_as_the_class_noun(base: BaseModel) -> None:
    word = identifier.candidates(base)[0]

    rows = IdentifierEmbedding.from_class_noun(base, word, "imp")
    named, doubled = encoded(base, f"a photo of {word}"), encoded(base, "a photo of imp")
    rows.remove()

    torch.testing.assert_close(named, doubled)


def test_what_was_learnt_comes_back_from_the_file_without_a_warning(
    base: BaseModel,
    pictures: list[Image.Image],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    word = identifier.candidates(base)[0]
    trainer = make_trainer(base, pictures, replace(HYPERPARAMETERS, training_steps=3, pivotal=True))
    try:
        started = [row.detach().clone() for row in trainer.adapter.rows.rows]
        list(trainer.steps())
        moved = [row.detach().clone() for row in trainer.adapter.rows.rows]
        learnt = encoded(base, f"a photo of {word} imp")
        file = trainer.adapter.save(tmp_path)
    finally:
        trainer.adapter.detach()

    try:
        base.pipeline.load_lora_weights(tmp_path, weight_name=file.name)
        with apply_embeddings(base, [file], scale=1.0):
            loaded = encoded(base, f"a photo of {word} imp")
    finally:
        base.pipeline.unload_lora_weights()

    assert not any(torch.equal(a, b) for a, b in zip(started, moved, strict=True))
    assert list(read_embeddings(file)) == [identifier_token(base, word)]
    torch.testing.assert_close(loaded, learnt)
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
