"""The families of FLUX.2."""

from __future__ import annotations

from pathlib import Path

import torch

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.families.flux2.presets import KLEIN_BALANCED
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.base_model_family import BaseModelFamily


def _load(files: BaseModelFiles, data_dir: Path, device: torch.device) -> BaseModel:
    # Its libraries would cost every start of the worker half a second.
    from modelsheet.diffusion.families.flux2.loading import load

    return load(files, data_dir, device)


KLEIN = BaseModelFamily(_load, KLEIN_BALANCED, trains_text=False)
