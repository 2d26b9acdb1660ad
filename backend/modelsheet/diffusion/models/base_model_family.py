"""Define a family of base models: its loader, presets and what else is known before loading."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import Hyperparameters


@dataclass(frozen=True)
class BaseModelFamily:
    """`load` reads checked files into memory, frozen and in eval mode: raises ModelMissing,
    UnsafeModel. `balanced` is the preset from which the others are made. Where it does not
    `trains_text`, the text encoder is frozen, its embeddings too.
    """

    load: Callable[[BaseModelFiles, Path, torch.device], BaseModel]
    balanced: Hyperparameters
    trains_text: bool = True
