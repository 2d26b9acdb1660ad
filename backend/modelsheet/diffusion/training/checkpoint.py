"""Write and read training checkpoints: named tensors and a JSON position, in a folder that is
complete or absent. No pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from modelsheet.errors import DiskFull

_TENSORS, _POSITION, _MANIFEST = "tensors.safetensors", "position.json", "MANIFEST.json"


@dataclass(frozen=True)
class TrainingCheckpoint:
    """A training state: `position` is plain JSON (sampler queues, optimizer numbers, curves)."""

    step: int
    tensors: dict[str, torch.Tensor]
    position: dict[str, Any]


def write_checkpoint(
    folder: Path, step: int, tensors: Mapping[str, torch.Tensor], position: Mapping[str, Any]
) -> Path:
    """Write `folder`/<step> by one rename, manifest last, and keep the two newest.

    Raises DiskFull when there is no room; earlier checkpoints stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target, staging = folder / f"{step:08d}", folder / f".tmp-{step:08d}"
    shutil.rmtree(staging, ignore_errors=True)
    try:
        _fill(staging, tensors, position)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(staging, ignore_errors=True)
        raise DiskFull(
            f"The checkpoint at step {step} could not be written ({error}). Free some disk space; "
            "learning continues from the last good checkpoint."
        ) from error
    shutil.rmtree(target, ignore_errors=True)
    os.replace(staging, target)
    for old in _steps(folder)[2:]:
        shutil.rmtree(old, ignore_errors=True)
    return target


@contextmanager
def saving(what: str) -> Iterator[None]:
    """Turn OSError and SafetensorError into DiskFull; `what` names the file in its sentence."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise DiskFull(
            f"{what} could not be written ({error}). Free some disk space, then learn again."
        ) from error


def newest_checkpoint(folder: Path) -> TrainingCheckpoint | None:
    """Read the newest checkpoint whose manifest and checksums hold, or None; broken ones are
    skipped.
    """
    for candidate in _steps(folder):
        if _is_whole(candidate):
            return TrainingCheckpoint(
                int(candidate.name),
                load_file(candidate / _TENSORS),
                json.loads((candidate / _POSITION).read_text("utf-8")),
            )
    return None


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _fill(staging: Path, tensors: Mapping[str, torch.Tensor], position: Mapping[str, Any]) -> None:
    staging.mkdir()
    save_file({k: v.detach().cpu().contiguous() for k, v in tensors.items()}, staging / _TENSORS)
    (staging / _POSITION).write_text(json.dumps(position), "utf-8")
    sums = {name: _sha256(staging / name) for name in (_TENSORS, _POSITION)}
    for name in sums:
        _sync(staging / name)
    (staging / _MANIFEST).write_text(json.dumps(sums), "utf-8")
    _sync(staging / _MANIFEST)


def _sync(path: Path) -> None:
    with path.open("rb") as content:
        os.fsync(content.fileno())


def _steps(folder: Path) -> list[Path]:
    """List checkpoint folders, newest first."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if p.name.isdigit()), reverse=True)


def _is_whole(checkpoint: Path) -> bool:
    """Tell if all files of the manifest are there with their checksums."""
    try:
        sums = json.loads((checkpoint / _MANIFEST).read_text("utf-8"))
        return bool(sums) and all(_sha256(checkpoint / n) == s for n, s in sums.items())
    except (OSError, ValueError):
        return False
