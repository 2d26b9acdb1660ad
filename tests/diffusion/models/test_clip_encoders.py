"""CLIP encoders: the base's own, or OpenAI's in a folder beside Stable Diffusion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import CLIPModel, CLIPTokenizer

from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.clip_encoders import FOLDER, load_clip
from modelsheet.errors import ModelMissing, UnsafeModel
from sprite_training.sprite32.tiles import TileSet
from tests.diffusion.tiny import write_clip, write_sd15


@pytest.fixture(scope="module")
def home(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with a Stable Diffusion as it is published, and a CLIP beside it."""
    folder = tmp_path_factory.mktemp("home")
    tiles = TileSet.load(data_dir / "tiles.zip")
    write_sd15(folder / "models" / "sd15", tiles, has_eyes=False)
    write_clip(folder / "models" / FOLDER, folder / "models" / "sd15" / "tokenizer")
    return folder


@pytest.fixture(scope="module")
def blind(home: Path) -> BaseModel:
    return load_base_model("sd15", home, torch.device("cpu"))


def test_a_clip_beside_the_base_embeds_as_transformers_does(home: Path, blind: BaseModel) -> None:
    folder = home / "models" / FOLDER
    model = CLIPModel.from_pretrained(folder).eval()
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    mean, spread = [torch.tensor(v).view(3, 1, 1) for v in (OPENAI_MEAN, OPENAI_SPREAD)]
    tokens = tokenizer(["a cat", "a dog"], padding="max_length", return_tensors="pt")
    with torch.no_grad():
        output = model(pixel_values=(pixels - mean) / spread, **tokens)

    clip = load_clip(blind, home / "models")

    torch.testing.assert_close(clip.embed_images(pixels * 2 - 1), output.image_embeds)
    torch.testing.assert_close(clip.embed_texts(["a cat", "a dog"]), output.text_embeds)


OPENAI_MEAN = (0.48145466, 0.4578275, 0.40821073)
OPENAI_SPREAD = (0.26862954, 0.26130258, 0.27577711)


def test_images_of_any_size_are_embedded_whole(home: Path, blind: BaseModel) -> None:
    clip = load_clip(blind, home / "models")
    tall = torch.rand(3, 90, 30, generator=torch.Generator().manual_seed(0))

    vectors = clip.embed_images([tall, torch.zeros(3, 512, 512)])

    torch.testing.assert_close(vectors.norm(dim=-1), torch.ones(2))


def test_a_base_uses_its_own_clip(sd15: BaseModel, tmp_path: Path) -> None:
    clip = load_clip(sd15, tmp_path)

    assert clip.is_own
    assert clip.embed_texts(["a cat"]).shape == clip.embed_images(torch.zeros(1, 3, 64, 64)).shape


def test_without_one_it_says_where_to_put_it(blind: BaseModel, tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match="openai/clip-vit-large-patch14.* at .*models"):
        load_clip(blind, tmp_path / "models")


def test_a_damaged_one_is_refused(home: Path, blind: BaseModel, tmp_path: Path) -> None:
    folder = tmp_path / FOLDER
    folder.mkdir()
    for file in (home / "models" / FOLDER).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])

    with pytest.raises(UnsafeModel, match="cannot be read"):
        load_clip(blind, tmp_path)
