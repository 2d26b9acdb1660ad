"""The adapter file: what was learnt comes back from it, at any scale, in diffusers' own format."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open

from modelsheet.diffusion.generation.adapters import ActiveAdapters, AdapterCache, AdapterFile
from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet.diffusion.training.adapter import TrainableAdapter
from tests.diffusion.training.test_trainer import HYPERPARAMETERS, SHAPE, make_trainer

PROMPT = "a photo of qzw imp"
Outputs = tuple[torch.Tensor, torch.Tensor]


def outputs(base: BaseModel) -> Outputs:
    """The UNet's prediction for fixed embeddings, and the text encoder's states."""
    with torch.no_grad():
        return prediction(base), base.encode_prompts([PROMPT]).hidden


def prediction(base: BaseModel) -> torch.Tensor:
    latents = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        hidden = torch.ones_like(base.encode_prompts([PROMPT]).hidden)
        return base.predict(latents, torch.tensor([400]), PromptEmbeds(hidden))


def outputs_with(
    cache: AdapterCache, *files: Path, unet: float = 1.0, text: float = 1.0
) -> Outputs:
    adapters = ActiveAdapters(tuple(AdapterFile(f"{f}", f) for f in files), unet, text)
    hidden = cache.encode_prompt(PROMPT, adapters).hidden
    cache.activate(adapters)
    return prediction(cache.base), hidden


@pytest.fixture
def cache(sd15: BaseModel) -> Iterator[AdapterCache]:
    cache = AdapterCache(sd15)
    yield cache
    cache.unload()


@pytest.fixture
def saved(sd15: BaseModel, pictures: list[Image.Image], tmp_path: Path) -> Path:
    trainer = make_trainer(sd15, pictures, HYPERPARAMETERS)
    try:
        list(trainer.steps())
        return trainer.adapter.save(tmp_path)
    finally:
        trainer.adapter.detach()


def test_a_loaded_adapter_gives_what_the_learnt_one_gave(
    sd15: BaseModel, pictures: list[Image.Image], tmp_path: Path, cache: AdapterCache
) -> None:
    trainer = make_trainer(sd15, pictures, HYPERPARAMETERS)
    try:
        list(trainer.steps())
        learnt = outputs(sd15)
        file = trainer.adapter.save(tmp_path)
    finally:
        trainer.adapter.detach()

    torch.testing.assert_close(outputs_with(cache, file), learnt)


def test_each_scale_moves_its_own_network_alone(cache: AdapterCache, saved: Path) -> None:
    bare_unet, bare_text = outputs(cache.base)

    unet, text = outputs_with(cache, saved, unet=0.0)
    assert torch.equal(unet, bare_unet)
    assert not torch.equal(text, bare_text)

    unet, text = outputs_with(cache, saved, text=0.0)
    assert not torch.equal(unet, bare_unet)
    assert torch.equal(text, bare_text)


def test_what_was_worn_before_leaves_no_trace(
    cache: AdapterCache, saved: Path, tmp_path: Path
) -> None:
    bare = outputs(cache.base)
    other = shutil.copy(saved, tmp_path / "other.safetensors")
    first = outputs_with(cache, saved)

    both = outputs_with(cache, saved, other)
    none = outputs_with(cache)
    again = outputs_with(cache, saved)
    cache.unload()

    assert not torch.equal(both[0], first[0])
    assert all(torch.equal(a, b) for a, b in zip(none, bare, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(again, first, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(outputs(cache.base), bare, strict=True))


def test_beyond_the_most_adapters_the_one_not_worn_for_longest_goes(
    cache: AdapterCache, saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modelsheet.diffusion.generation.adapters._MOST_ADAPTERS", 2)
    bare = outputs(cache.base)
    second, third = (
        Path(shutil.copy(saved, tmp_path / name)) for name in ("2.safetensors", "3.safetensors")
    )
    first = outputs_with(cache, saved)
    for file in (second, saved, third):
        outputs_with(cache, file)

    assert cache.loaded == [f"{saved}", f"{third}"]
    assert all(torch.equal(a, b) for a, b in zip(outputs_with(cache, saved), first, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(outputs_with(cache), bare, strict=True))


def test_equal_adapters_have_equal_bytes_and_no_path_of_this_machine(
    sd15: BaseModel, tmp_path: Path
) -> None:
    contents = []
    for name in ("one", "two", "three", "four"):
        adapter = TrainableAdapter(sd15, SHAPE, seed=1)
        contents.append(adapter.save(tmp_path / name).read_bytes())
        adapter.detach()

    assert len(set(contents)) == 1
    assert str(tmp_path.parent).encode() not in contents[0]


def test_the_file_says_its_ranks(saved: Path) -> None:
    with safe_open(saved, "pt") as file:
        metadata = file.metadata()

    assert '"unet.r": 2' in metadata["lora_adapter_metadata"]


def test_without_feed_forward_layers_attention_alone_learns_in_both_networks(
    sd15: BaseModel,
) -> None:
    shape = AdapterShape(rank=2, text_encoder_rank=2, feed_forward=False, convolutions=False)
    adapter = TrainableAdapter(sd15, shape, seed=0)
    try:
        keys = [key.rsplit(".lora_", 1)[0] for key in adapter.state()]
    finally:
        adapter.detach()

    # As diffusers' examples/dreambooth/train_dreambooth_lora.py has it.
    ends = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj")
    found = {next(end for end in ends if key.endswith(f".{end}")) for key in keys}
    assert found == set(ends)
