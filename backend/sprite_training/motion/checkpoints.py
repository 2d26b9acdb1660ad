"""Write and read training states of the motion model, by atomic renames.

`checkpoints/state-<pictures>.pt` is a whole training state, of tensors and plain values alone
(read with `weights_only`); `checkpoints/motion.safetensors` the averaged weights.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from modelsheet.errors import NotFound
from modelsheet.motion.network.model import MotionConfig, MotionModel
from modelsheet.motion.network.weights_file import read_weights
from sprite_training.device import Accelerator

WEIGHTS_NAME = "motion.safetensors"
_KEPT = 2


def checkpoint_folder(out: Path) -> Path:
    return out / "checkpoints"


def newest_state(folder: Path) -> Path | None:
    """Find the state that saw the most pictures."""
    states = sorted(folder.glob("state-*.pt"))
    return states[-1] if states else None


def write_state(folder: Path, pictures: int, state: dict[str, Any]) -> Path:
    """Write a training state and remove all but the two newest."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"state-{pictures:09d}.pt"
    part = path.with_suffix(".part")
    torch.save(state, part)
    os.replace(part, path)
    for old in sorted(folder.glob("state-*.pt"))[:-_KEPT]:
        old.unlink()
    return path


def read_state(path: Path) -> dict[str, Any]:
    """Read a training state onto the CPU."""
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def read_model(path: Path) -> tuple[MotionModel, int]:
    """Read the averaged model of weights, of a state, or of the newest state in a folder.

    Returns it with how many pictures it saw. Raises NotFound, UnsafeModel.
    """
    source = newest_state(checkpoint_folder(path)) if path.is_dir() else path
    if source is None or not source.is_file():
        raise NotFound(f"There are no weights at {path}; train some, or name other ones.")
    if source.suffix == ".safetensors":
        config, weights, pictures = read_weights(source)
    else:
        state = read_state(source)
        config, weights = MotionConfig(**state["config"]), state["average"]
        pictures = state["pictures"]
    model = MotionModel(config).eval()
    model.load_state_dict(weights)
    return Accelerator(torch.device("cpu"), scale=1).prepare(model), pictures
