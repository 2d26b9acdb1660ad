"""Profile a training step: kernels, arithmetic, and share of the card's peak."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import torch
from torch.profiler import ProfilerActivity, profile
from torch.utils.flop_counter import FlopCounterMode

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.trainer import StepResult
from modelsheet_benchmarks.speed.sd15_step import open_training

# Dense bf16, as the makers' data sheets say; FLOPS a second.
_PEAKS = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "4090": 165e12, "3090": 71e12}
_STEPS = 5


def profile_step(base: BaseModel, batch: int) -> Mapping[str, float]:
    """Return `kernels`, on a processor PyTorch's operations, `tflop` of a step of so many pictures
    and, on a card whose peak is known, `share_of_peak`.
    """
    activity = ProfilerActivity.CUDA if base.device.type == "cuda" else ProfilerActivity.CPU
    overrides = TrainingOverrides(training_steps=_STEPS, batch=batch)
    with open_training(base, overrides) as trainer:
        steps = trainer.steps()
        next(steps)
        with FlopCounterMode(display=False) as counter:
            next(steps)
        with profile(activities=[activity]) as profiled:
            next(steps)
        seconds = _seconds_of_step(steps, base.device)
    figures = {"kernels": float(_kernels(profiled, base.device)), "seconds": seconds}
    flop = counter.get_total_flops()
    figures["tflop"] = flop / 1e12
    peak = _peak(base.device)
    if peak is not None:
        figures["share_of_peak"] = flop / seconds / peak
    return figures


def _seconds_of_step(steps: Iterator[StepResult], device: torch.device) -> float:
    began = time.monotonic()
    next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.monotonic() - began


def _kernels(profiled: profile, device: torch.device) -> int:
    kind = "DeviceType.CUDA" if device.type == "cuda" else "DeviceType.CPU"
    return sum(str(event.device_type) == kind for event in profiled.events() or [])


def _peak(device: torch.device) -> float | None:
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for card, peak in _PEAKS.items() if card in name), None)
