"""The table of families, and loading a base model of any of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from modelsheet.api.types import Family
from modelsheet.base_models.locate import check_base_model, locate_base_model
from modelsheet.diffusion.families.flux2.families import KLEIN
from modelsheet.diffusion.families.stable_diffusion.families import SD15, SDXL, SPRITE32
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.base_model_family import BaseModelFamily

FAMILIES: Mapping[Family, BaseModelFamily] = {
    "sprite32": SPRITE32,
    "sd15": SD15,
    "sdxl": SDXL,
    "flux2-klein": KLEIN,
}


def load_base_model(model_id: str, data_dir: Path, device: torch.device) -> BaseModel:
    """Load a base model, frozen and in eval mode.

    Raises ModelMissing when it is not on this machine or not whole, UnsafeModel when its files are
    damaged or pickles.
    """
    files = locate_base_model(model_id, data_dir)
    check_base_model(files)
    return FAMILIES[files.family].load(files, data_dir, device)
