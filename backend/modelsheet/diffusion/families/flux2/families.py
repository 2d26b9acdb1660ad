"""The families of FLUX.2."""

from __future__ import annotations

from modelsheet.diffusion.families.flux2.loading import load
from modelsheet.diffusion.families.flux2.presets import KLEIN_BALANCED
from modelsheet.diffusion.models.base_model_family import BaseModelFamily

KLEIN = BaseModelFamily(load, KLEIN_BALANCED, trains_text=False)
