"""Compare what another program loaded from a LoRA file with our own weight changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from modelsheet.api.types import Family
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.layer_shapes import LayerKey


@dataclass(frozen=True)
class LoraToLoad:
    """A LoRA file for the standard model of a family."""

    file: Path
    family: Family
    layout: KeyLayout


@dataclass(frozen=True)
class Loaded:
    """Number of the file's keys that were used, those that were not, and ΔW layer by layer."""

    keys: int
    unmatched: Sequence[str]
    deltas: Iterator[tuple[LayerKey, torch.Tensor]]
