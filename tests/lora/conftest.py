"""Base models of the true architectures, a few numbers wide, in a data folder; made once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from modelsheet.base_models.locate import locate_base_model
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.lora.key_mapping import KeyLayout
from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer
from tests.base_models.true_architecture import write_model
from tests.sprite_training.archive import write_archive

FAMILIES = ("sd15", "sdxl")


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("narrow")
    tiles = TileSet.load(write_archive(folder / "tiles.zip"))
    tokenizer = build_tokenizer(tiles, 400, folder / "tokenizer")
    for family in FAMILIES:
        write_model(family, folder / "models" / family, tokenizer)
    return folder


@pytest.fixture(scope="session")
def base(data_dir: Path) -> Callable[[str], BaseModel]:
    """Return the base model of a family, loaded once."""
    loaded: dict[str, BaseModel] = {}

    def get(family: str) -> BaseModel:
        if family not in loaded:
            loaded[family] = load_base_model(family, data_dir, torch.device("cpu"))
        return loaded[family]

    return get


@pytest.fixture(scope="session")
def layout(data_dir: Path) -> Callable[[str], KeyLayout]:
    return lambda family: key_layout_of(locate_base_model(family, data_dir))
