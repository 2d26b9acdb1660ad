"""The tokenizer has the captions' words whole, and ends in rare tokens that are no words."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from transformers import CLIPTokenizer

from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion
from modelsheet.diffusion.training.identifier import candidates
from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import RARE_TOKENS, build_tokenizer, caption_words


@pytest.fixture(scope="module")
def tokenizer(tiles: TileSet, tmp_path_factory: pytest.TempPathFactory) -> CLIPTokenizer:
    return build_tokenizer(tiles, 800, tmp_path_factory.mktemp("tokenizer"))


def test_words_of_captions_are_single_tokens(tokenizer: CLIPTokenizer, tiles: TileSet) -> None:
    split = [word for word in caption_words(tiles) if len(tokenizer.tokenize(word)) > 1]

    assert split == []


def test_unknown_words_are_spelt_and_never_lost(tokenizer: CLIPTokenizer) -> None:
    ids = tokenizer("Zweihänder42").input_ids

    assert tokenizer.unk_token_id not in ids[1:-1]
    assert tokenizer.decode(ids[1:-1]).replace(" ", "") == "zweihänder42"


def test_it_ends_in_rare_single_tokens(tokenizer: CLIPTokenizer, tiles: TileSet) -> None:
    by_id = sorted(tokenizer.get_vocab().items(), key=lambda item: -item[1])
    last = [token for token, _ in by_id[2 : 2 + 2 * RARE_TOKENS] if token.endswith("</w>")]
    words = [token.removesuffix("</w>") for token in last]

    assert len(words) >= 128
    assert all(tokenizer.tokenize(word) == [f"{word}</w>"] for word in words)
    assert not set(words) & caption_words(tiles)
    pipeline = SimpleNamespace(tokenizer=tokenizer)
    base = StableDiffusion("new", "sprite32", pipeline, torch.device("cpu"), torch.float32)

    assert len(candidates(base)) == 64


def test_a_folder_of_it_loads_alike(tokenizer: CLIPTokenizer, tmp_path: Path) -> None:
    tokenizer.save_pretrained(tmp_path)

    again = CLIPTokenizer.from_pretrained(tmp_path)

    text = "human man, wearing red robe, on a white background"
    assert again(text).input_ids == tokenizer(text).input_ids
    assert again.model_max_length == 48
