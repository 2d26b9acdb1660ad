"""Which precision a base model is computed in: on each device the one that is faster."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path

import torch

_WIDE = 640  # channels; narrower networks are bound by their many small operations
_ROUNDS = 5
_KINDS = (torch.float32, torch.bfloat16)


def precision_on(device: torch.device, configs: Path) -> torch.dtype:
    """bf16 where a graphics card has it, else fp16. On a CPU bf16 if that is measurably faster and
    the network wide (some 2 times on processors with instructions for it, many times slower on
    others), else fp32. `configs` is the folder with unet/config.json.
    """
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float16
    if _widest(configs) < _WIDE or bf16_gain() < 1.0:
        return torch.float32
    return torch.bfloat16


@cache
def bf16_gain() -> float:
    """How many times faster this CPU convolves in bf16 than in fp32; takes some 0.2 s once."""
    picture, weight = torch.ones(1, _WIDE, 16, 16), torch.ones(_WIDE, _WIDE, 3, 3)
    operands = {kind: (picture.to(kind), weight.to(kind)) for kind in _KINDS}
    times: dict[torch.dtype, list[float]] = {kind: [] for kind in _KINDS}
    for _ in range(_ROUNDS):
        for kind, seconds in times.items():
            began = time.perf_counter()
            torch.nn.functional.conv2d(*operands[kind], padding=1)
            seconds.append(time.perf_counter() - began)
    return min(times[torch.float32]) / min(times[torch.bfloat16])


def _widest(configs: Path) -> int:
    described = json.loads((configs / "unet" / "config.json").read_text("utf-8"))
    channels: list[int] = described["block_out_channels"]
    return max(channels)
