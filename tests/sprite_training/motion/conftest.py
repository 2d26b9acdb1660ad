"""Archives of parts drawn for the tests, their split, and a tiny network."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelsheet.motion.network.model import MotionConfig
from tests.sprite_training.motion.part_archive import write_parts, write_split


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


@pytest.fixture(scope="session")
def revised(folder: Path) -> Path:
    return write_parts(folder / "revised.zip")


@pytest.fixture(scope="session")
def universal(folder: Path) -> Path:
    return write_parts(folder / "universal.zip", universal=True)


@pytest.fixture(scope="session")
def split(folder: Path) -> Path:
    return write_split(folder / "split.json")


@pytest.fixture
def tiny() -> MotionConfig:
    return MotionConfig(
        fine=8, medium=8, coarse=16, bottom=16, condition=8, content=4, frequencies=2, heads=2
    )
