"""Write and read weights of the motion model: fp16 in safetensors, the config in the metadata."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import read_header
from modelsheet.motion.network.model import MotionConfig


def write_weights(
    path: Path, weights: dict[str, Tensor], config: MotionConfig, pictures: int
) -> None:
    """Write weights in fp16, the config in the metadata."""
    half = {name: value.detach().half().contiguous().cpu() for name, value in weights.items()}
    part = path.with_suffix(".part")
    metadata = {"config": json.dumps(config.to_dict()), "pictures": str(pictures)}
    save_file(half, part, metadata=metadata)
    os.replace(part, path)


def read_weights(path: Path) -> tuple[MotionConfig, dict[str, Tensor], int]:
    """Read weights as fp32, with their config and how many pictures they saw.

    Raises UnsafeModel: no safetensors file, or not of a motion model.
    """
    metadata = read_header(path).metadata
    try:
        config = MotionConfig(**json.loads(metadata["config"]))
        pictures = int(metadata["pictures"])
        weights = {name: value.float() for name, value in load_file(path).items()}
    except (KeyError, TypeError, ValueError, SafetensorError):
        raise UnsafeModel(f"{path.name} holds no weights of a motion model.") from None
    return config, weights, pictures
