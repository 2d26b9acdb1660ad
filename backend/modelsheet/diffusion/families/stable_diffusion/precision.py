"""Choose the dtype of a base model: on each device the faster one."""

from __future__ import annotations

import json
import time
from functools import cache
from pathlib import Path

import torch

_WIDE = 640  # channels; narrower networks are bound by their many small operations
_ROUNDS = 5
_DTYPES = (torch.float32, torch.bfloat16)


def choose_dtype(device: torch.device, configs: Path) -> torch.dtype:
    """Return bf16 on GPUs that support it, else fp16. On a CPU bf16 if it is measurably faster and
    the network wide (some 2 times faster on processors with instructions for it, many times slower
    on others), else fp32. `configs` is the folder with unet/config.json.
    """
    if device.type == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float16
    if _widest(configs) < _WIDE or bf16_speedup() < 1.0:
        return torch.float32
    return torch.bfloat16


@cache
def bf16_speedup() -> float:
    """Measure the speed-up of this CPU's convolutions by bf16 over fp32; takes some 0.2 s once."""
    image, weight = torch.ones(1, _WIDE, 16, 16), torch.ones(_WIDE, _WIDE, 3, 3)
    operands = {dtype: (image.to(dtype), weight.to(dtype)) for dtype in _DTYPES}
    times: dict[torch.dtype, list[float]] = {dtype: [] for dtype in _DTYPES}
    for _ in range(_ROUNDS):
        for dtype, seconds in times.items():
            began = time.perf_counter()
            torch.nn.functional.conv2d(*operands[dtype], padding=1)
            seconds.append(time.perf_counter() - began)
    return min(times[torch.float32]) / min(times[torch.bfloat16])


def _widest(configs: Path) -> int:
    config = json.loads((configs / "unet" / "config.json").read_text("utf-8"))
    channels: list[int] = config["block_out_channels"]
    return max(channels)
