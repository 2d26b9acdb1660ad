"""Load the embedded motion model."""

from __future__ import annotations

from pathlib import Path

import torch

from modelsheet.motion.figures.mannequin_archive import FOLDER
from modelsheet.motion.network.model import MotionModel
from modelsheet.motion.network.weights_file import read_weights

WEIGHTS = FOLDER / "motion.safetensors"


def load_motion_model(device: torch.device, path: Path = WEIGHTS) -> MotionModel:
    """Load the model for drawing. Raises UnsafeModel."""
    config, weights, _ = read_weights(path)
    model = MotionModel(config)
    model.load_state_dict(weights)
    # Convolutions are faster so; torch's annotations do not know the argument.
    model.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return model
