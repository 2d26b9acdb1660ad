"""Fixtures shared with other folders: tiny base models, and an archive of tiles."""

from __future__ import annotations

from tests.diffusion.conftest import data_dir, fresh, pictures, sd15, sdxl, tiny  # noqa: F401
from tests.sprite_training.conftest import archive, tiles  # noqa: F401
