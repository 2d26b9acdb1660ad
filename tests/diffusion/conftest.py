"""Tiny base models of each family, made once, and pictures to learn from."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw

from modelsheet.api.models import AddModelRequest
from modelsheet.base_models.manage import add_models
from modelsheet.diffusion.families.table import load_base_model
from modelsheet.diffusion.models.base_model import BaseModel
from sprite_training.sprite32.tiles import TileSet
from tests.diffusion.tiny import write_klein, write_sd15, write_sdxl
from tests.sprite_training.archive import write_archive


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which tiny SD 1.5 and SDXL models are installed."""
    folder = tmp_path_factory.mktemp("data")
    tiles = TileSet.load(write_archive(folder / "tiles.zip"))
    write_sd15(folder / "models" / "sd15", tiles)
    write_sdxl(folder / "models" / "sdxl", tiles)
    return folder


@pytest.fixture(scope="session")
def sd15(data_dir: Path) -> BaseModel:
    return load_base_model("sd15", data_dir, torch.device("cpu"))


@pytest.fixture(scope="session")
def sdxl(data_dir: Path) -> BaseModel:
    return load_base_model("sdxl", data_dir, torch.device("cpu"))


@pytest.fixture(scope="session")
def klein(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    """A tiny FLUX.2 klein, as it was added from a folder."""
    home = tmp_path_factory.mktemp("klein")
    write_klein(home / "klein")
    add_models(AddModelRequest(path=str(home / "klein")), home)
    return load_base_model("klein", home, torch.device("cpu"))


Tiny = Callable[[str, bool], BaseModel]


@pytest.fixture
def fresh(data_dir: Path, tmp_path: Path) -> Tiny:
    """Makes a tiny SD 1.5 of a prediction type, with zero terminal SNR or without, to be spoilt."""
    return _maker(data_dir, tmp_path)


@pytest.fixture(scope="session")
def tiny(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The same, made once each, to be left as they are."""
    return functools.cache(_maker(data_dir, tmp_path_factory.mktemp("tiny")))


def _maker(data_dir: Path, root: Path) -> Tiny:
    def make(prediction_type: str, zero_snr: bool) -> BaseModel:
        tiles = TileSet.load(data_dir / "tiles.zip")
        home = root / f"{prediction_type}-{zero_snr}"
        folder = home / "models" / "sd15"
        write_sd15(folder, tiles, prediction_type=prediction_type, zero_snr=zero_snr)
        return load_base_model("sd15", home, torch.device("cpu"))

    return make


@pytest.fixture
def pictures() -> list[Image.Image]:
    """Three views of one thing on transparency, 48 × 48."""
    return [view(shift) for shift in (0, 4, 8)]


def view(shift: int) -> Image.Image:
    """One thing on transparency, 48 × 48, so many pixels to the right."""
    picture = Image.new("RGBA", (48, 48))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((8 + shift, 8, 30 + shift, 40), fill=(200, 60, 30, 255))
    draw.rectangle((14 + shift, 20, 22 + shift, 30), fill=(30, 60, 200, 255))
    return picture
