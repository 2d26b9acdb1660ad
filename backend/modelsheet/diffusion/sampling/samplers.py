"""Samplers: diffusers' schedulers under their A1111 names, over a base's own noise schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    UniPCMultistepScheduler,
)

from modelsheet.api.generate import SamplerName
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import InvalidRequest

# A diffusers scheduler; they have no annotated base class.
Scheduler = Any


@dataclass(frozen=True)
class _SamplerSpec:
    """A scheduler class and its default steps; `is_random` samples new noise at each step."""

    scheduler: type[Scheduler]
    default_steps: int
    is_random: bool = False
    max_steps: int = 200  # api.types.InferenceSteps
    settings: Mapping[str, Any] = field(default_factory=dict)


_SPECS: Mapping[SamplerName, _SamplerSpec] = {
    "DPM++ 2M Karras": _SamplerSpec(
        DPMSolverMultistepScheduler, 20, settings={"use_karras_sigmas": True}
    ),
    "UniPC": _SamplerSpec(UniPCMultistepScheduler, 20),
    "Euler": _SamplerSpec(EulerDiscreteScheduler, 25),
    "Euler a": _SamplerSpec(EulerAncestralDiscreteScheduler, 30, is_random=True),
    "DDIM": _SamplerSpec(DDIMScheduler, 25),
    # LCM models were distilled with 50 steps.
    "LCM": _SamplerSpec(LCMScheduler, 6, is_random=True, max_steps=50),
}
# For bases whose folder names another scheduler.
_FALLBACK: SamplerName = "DPM++ 2M Karras"
_LCM_GUIDANCE = 1.5


@dataclass(frozen=True)
class Sampler:
    """A sampler for one denoising run: its `scheduler` is new and set to the run's steps."""

    name: SamplerName
    scheduler: Scheduler
    is_random: bool

    @property
    def timesteps(self) -> torch.Tensor:
        timesteps: torch.Tensor = self.scheduler.timesteps
        return timesteps


def default_sampler(base: BaseModel) -> SamplerName:
    """Return the sampler of the scheduler that the base's folder names."""
    for name, spec in _SPECS.items():
        if type(base.pipeline.scheduler) is spec.scheduler:
            return name
    return _FALLBACK


def default_steps(name: SamplerName) -> int:
    return _SPECS[name].default_steps


def default_guidance_scale(base: BaseModel, name: SamplerName) -> float:
    """Return the base's guidance scale; less for LCM, whose models have guidance distilled in."""
    return _LCM_GUIDANCE if name == "LCM" else base.guidance_scale


def check_steps(name: SamplerName, steps: int) -> None:
    """Check that the sampler has a schedule of so many steps. Raises InvalidRequest."""
    max_steps = _SPECS[name].max_steps
    if steps > max_steps:
        raise InvalidRequest(f"{name} takes at most {max_steps} steps, not {steps}. Ask for fewer.")


def make_sampler(base: BaseModel, name: SamplerName, steps: int) -> Sampler:
    """Make a sampler over the base's noise schedule. Raises InvalidRequest for too many steps."""
    check_steps(name, steps)
    spec = _SPECS[name]
    # clip_sample is meant for pixels; it would clip latents.
    config = {**base.pipeline.scheduler.config, "clip_sample": False}
    scheduler = spec.scheduler.from_config(config, **spec.settings)
    scheduler.set_timesteps(steps, device=base.device)
    return Sampler(name, scheduler, spec.is_random)
