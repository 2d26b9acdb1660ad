"""The tiny base models of tests/diffusion, for the tests here too."""

from __future__ import annotations

from tests.diffusion.conftest import data_dir, fresh, pictures, sd15, sdxl, tiny  # noqa: F401
