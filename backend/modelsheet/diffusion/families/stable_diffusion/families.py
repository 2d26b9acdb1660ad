"""The three families of Stable Diffusion."""

from __future__ import annotations

from modelsheet.diffusion.families.stable_diffusion.loading import load
from modelsheet.diffusion.families.stable_diffusion.presets import (
    SD15_BALANCED,
    SDXL_BALANCED,
    SPRITE32_BALANCED,
)
from modelsheet.diffusion.models.base_model_family import BaseModelFamily

SPRITE32 = BaseModelFamily(load, SPRITE32_BALANCED)
SD15 = BaseModelFamily(load, SD15_BALANCED)
SDXL = BaseModelFamily(load, SDXL_BALANCED)
