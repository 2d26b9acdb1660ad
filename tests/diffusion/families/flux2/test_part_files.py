"""A tiny klein in the three files of a ComfyUI is the one of its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from diffusers import Flux2KleinPipeline
from safetensors.torch import load_file, save_file

from modelsheet.api.models import AddModelRequest
from modelsheet.base_models import locate
from modelsheet.base_models.families import FAMILIES
from modelsheet.base_models.manage import add_models
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.errors import ModelMissing, UnsafeModel
from tests.diffusion.families.flux2.comfyui_files import (
    Weights,
    autoencoder_weights,
    in_fp8,
    marks_of,
    text_encoder_weights,
    transformer_weights,
    write_comfyui,
    write_configs,
)
from tests.diffusion.tiny import QWEN_TOKENS, write_klein

CPU = torch.device("cpu")
PROMPTS = ["a photo of cat", "<think> a red slime (in) snow"]
NAME = "flux-2-klein-base-4b"


@dataclass
class Desk:
    """A tiny klein's folder and pipeline, and where a ComfyUI and our data go."""

    folder: Path
    pipeline: Flux2KleinPipeline
    root: Path
    data: Path

    @property
    def parts(self) -> dict[str, Weights]:
        return {
            "transformer": transformer_weights(self.pipeline.transformer.state_dict()),
            "text_encoder": text_encoder_weights(self.folder),
            "vae": autoencoder_weights(self.pipeline.vae.state_dict(), 4),
        }

    def write(self, name: str = NAME, **changes: Weights) -> None:
        write_comfyui(self.root, self.pipeline, self.folder, name, **changes)

    def add(self, path: Path | None = None) -> list[str]:
        request = AddModelRequest(path=str(path or self.root))
        return [view.id for view in add_models(request, self.data).models]

    def load(self, name: str = NAME) -> BaseModel:
        return load_base_model(f"ComfyUI/{name}", self.data, CPU)

    def from_folder(self) -> BaseModel:
        add_models(AddModelRequest(path=str(self.folder)), self.data)
        return load_base_model(self.folder.name, self.data, CPU)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    write_klein(tmp_path / "klein")
    pipeline = Flux2KleinPipeline.from_pretrained(tmp_path / "klein")
    desk = Desk(tmp_path / "klein", pipeline, tmp_path / "ComfyUI", tmp_path / "data")
    facts = FAMILIES["flux2-klein"]
    tiny = replace(facts, part_files=marks_of(desk.parts))
    monkeypatch.setitem(FAMILIES, "flux2-klein", tiny)  # type: ignore[arg-type]
    monkeypatch.setattr(locate, "CHECKPOINT_CONFIGS", tmp_path / "configs")
    write_configs(desk.folder, tmp_path / "configs" / "flux2-klein")
    return desk


def prediction(base: BaseModel) -> torch.Tensor:
    latents = torch.randn(2, base.latent_channels, 4, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        embeds = base.encode_prompts(PROMPTS)
        return base.predict(latents, torch.tensor([300.0, 800.0]), PromptEmbeds(embeds.hidden))


def test_all_three_parts_are_those_of_the_folder(desk: Desk) -> None:
    desk.write()
    assert desk.add() == [f"ComfyUI/{NAME}"]
    ours, theirs = desk.load(), desk.from_folder()
    images = torch.rand(1, 3, 64, 64) * 2 - 1

    assert ours.split_word("cat") == theirs.split_word("cat")
    for mine, other in zip(ours.tokenize(PROMPTS), theirs.tokenize(PROMPTS), strict=True):
        assert torch.equal(mine, other)
    assert torch.equal(ours.encode_prompts(PROMPTS).hidden, theirs.encode_prompts(PROMPTS).hidden)
    latents = theirs.encode_images(images)
    assert torch.equal(ours.encode_images(images), latents)
    assert torch.equal(ours.decode_latents(latents), theirs.decode_latents(latents))
    assert torch.equal(prediction(ours), prediction(theirs))


@pytest.mark.parametrize("part", ["transformer", "text_encoder", "vae"])
def test_each_weight_counts(desk: Desk, part: str) -> None:
    """None is left out: each is found among those of the loaded part."""
    weights = desk.parts[part]
    keys = [key for key in weights if "num_batches_tracked" not in key]
    unread = [key for key in keys if ".layers.28." in key or ".layers.29." in key]
    unread += ["model.norm.weight", "lm_head.weight"]
    desk.write()
    desk.add()
    base = desk.load()
    loaded = {
        "transformer": base.denoiser,
        "text_encoder": base.text_encoders[0],
        "vae": base.vae,
    }[part].state_dict()

    found = [torch.sort(each.flatten().double()).values for each in loaded.values()]
    lost = [
        key
        for key in keys
        if key not in unread
        and "qkv" not in key
        and "adaLN" not in key
        and not any(_is_same(weights[key], each) for each in found)
    ]

    assert lost == []


def _is_same(weight: torch.Tensor, found: torch.Tensor) -> bool:
    ours = torch.sort(weight.flatten().double()).values
    return ours.shape == found.shape and torch.equal(ours, found)


@pytest.mark.parametrize("part", ["transformer", "text_encoder"])
def test_fp8_files_are_read_with_their_scales(desk: Desk, part: str) -> None:
    desk.write(**{part: in_fp8(desk.parts[part])})
    desk.add()

    ours, theirs = prediction(desk.load()), prediction(desk.from_folder())

    assert not torch.equal(ours, theirs)
    assert (ours - theirs).norm() < 0.2 * theirs.norm()


def test_diffusers_own_names_and_a_prefix_are_read(desk: Desk) -> None:
    prefixed = {
        f"model.diffusion_model.{key}": each for key, each in desk.parts["transformer"].items()
    }
    desk.write(transformer=prefixed, vae=desk.pipeline.vae.state_dict())
    desk.add()

    assert torch.equal(prediction(desk.load()), prediction(desk.from_folder()))


@pytest.mark.parametrize(("name", "is_distilled"), [(NAME, False), ("flux-2-klein-4b", True)])
def test_its_name_tells_the_base_from_its_twin(desk: Desk, name: str, is_distilled: bool) -> None:
    desk.write(name)
    desk.add()

    assert desk.load(name).has_guidance is not is_distilled


def test_special_tokens_follow_the_vocabulary(desk: Desk) -> None:
    desk.write()
    desk.add()
    tokenizer = desk.load().tokenizers[0]

    ids = tokenizer.convert_tokens_to_ids(QWEN_TOKENS)

    assert ids == list(range(ids[0], ids[0] + len(QWEN_TOKENS)))
    assert ids[0] == len(tokenizer) - len(QWEN_TOKENS)


def test_parts_beside_the_transformer_are_found(desk: Desk, tmp_path: Path) -> None:
    desk.write()
    models = desk.root / "models"
    together = tmp_path / "together"
    together.mkdir()
    for path in models.rglob("*.safetensors"):
        path.rename(together / path.name)
    (together / "more").mkdir()
    for name in ("vocab.json", "merges.txt"):
        source = desk.root / "comfy" / "text_encoders" / "qwen25_tokenizer" / name
        source.rename(together / name)

    assert desk.add(together / f"{NAME}.safetensors") == [NAME]
    assert prediction(load_base_model(NAME, desk.data, CPU)).isfinite().all()


Change = Callable[[Desk], None]


def remove(path: str) -> Change:
    return lambda desk: (desk.root / path).unlink()


def cut(desk: Desk) -> None:
    file = desk.root / "models" / "vae" / "flux2-vae.safetensors"
    weights = load_file(file)
    del weights["decoder.mid.block_1.conv1.weight"]
    save_file(weights, file)


def pack(desk: Desk) -> None:
    file = desk.root / "models" / "diffusion_models" / f"{NAME}.safetensors"
    weights = load_file(file)
    weights["img_in.weight"] = weights["img_in.weight"].to(torch.uint8)
    save_file(weights, file)


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (remove("models/vae/flux2-vae.safetensors"), ModelMissing, r"without its autoencoder"),
        (remove("models/text_encoders/qwen_3_4b.safetensors"), ModelMissing, "its text encoder"),
        (remove("comfy/text_encoders/qwen25_tokenizer/merges.txt"), ModelMissing, "vocabulary"),
        (cut, UnsafeModel, "lacks the weight decoder.mid_block.resnets.0.conv1.weight"),
        (pack, UnsafeModel, "in bf16 or fp8"),
    ],
)
def test_what_lacks_is_said(desk: Desk, change: Change, error: type[Exception], said: str) -> None:
    desk.write()
    desk.add()
    change(desk)

    with pytest.raises(error, match=said):
        desk.load()
