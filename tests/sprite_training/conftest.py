"""An archive of tiles drawn for the tests; the real one, where it lies beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.base_models.locate import SPRITE32_WEIGHTS as WEIGHTS
from sprite_training.sprite32.tiles import TileSet
from tests.sprite_training.archive import write_archive


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_archive(tmp_path_factory.mktemp("tiles") / "tiles.zip")


@pytest.fixture(scope="session")
def tiles(archive: Path) -> TileSet:
    return TileSet.load(archive)


@pytest.fixture(scope="session")
def weights() -> Path:
    assert (WEIGHTS / "model_index.json").is_file(), "the embedded weights are part of the project"
    return WEIGHTS
