"""Samplers by the names artists know, made from a base's own noise schedule."""

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

# A diffusers scheduler; they share no annotated base.
Scheduler = Any


@dataclass(frozen=True)
class _Kind:
    """`usual_steps` give a finished picture; `is_random` draws new noise at each step."""

    scheduler: type[Scheduler]
    usual_steps: int
    is_random: bool = False
    most_steps: int = 200  # api.types.InferenceSteps
    settings: Mapping[str, Any] = field(default_factory=dict)


_KINDS: Mapping[SamplerName, _Kind] = {
    "DPM++ 2M Karras": _Kind(DPMSolverMultistepScheduler, 20, settings={"use_karras_sigmas": True}),
    "UniPC": _Kind(UniPCMultistepScheduler, 20),
    "Euler": _Kind(EulerDiscreteScheduler, 25),
    "Euler a": _Kind(EulerAncestralDiscreteScheduler, 30, is_random=True),
    "DDIM": _Kind(DDIMScheduler, 25),
    # LCM walks along the 50 steps that its models were distilled with.
    "LCM": _Kind(LCMScheduler, 6, is_random=True, most_steps=50),
}
# What a base's folder may name beside those, and what is closest to it here.
_FALLBACK: SamplerName = "DPM++ 2M Karras"
_LCM_GUIDANCE = 1.5


@dataclass(frozen=True)
class Sampler:
    """One way through the noise: `scheduler` is of this run alone and set to its steps."""

    name: SamplerName
    scheduler: Scheduler
    is_random: bool

    @property
    def timesteps(self) -> torch.Tensor:
        timesteps: torch.Tensor = self.scheduler.timesteps
        return timesteps


def own_sampler(base: BaseModel) -> SamplerName:
    """The sampler that the base's folder names."""
    for name, kind in _KINDS.items():
        if type(base.pipeline.scheduler) is kind.scheduler:
            return name
    return _FALLBACK


def usual_steps(name: SamplerName) -> int:
    return _KINDS[name].usual_steps


def usual_guidance(base: BaseModel, name: SamplerName) -> float:
    """The base's, but LCM's models have guidance distilled into them."""
    return _LCM_GUIDANCE if name == "LCM" else base.guidance_scale


def check_steps(name: SamplerName, steps: int) -> None:
    """Raises InvalidRequest: the sampler has no schedule of so many steps."""
    most = _KINDS[name].most_steps
    if steps > most:
        raise InvalidRequest(f"{name} takes at most {most} steps, not {steps}. Ask for fewer.")


def make_sampler(base: BaseModel, name: SamplerName, steps: int) -> Sampler:
    """A fresh scheduler of that kind over the base's noise schedule. Raises InvalidRequest."""
    check_steps(name, steps)
    kind = _KINDS[name]
    # The clipping range is one for pixels; it would cut latents.
    config = {**base.pipeline.scheduler.config, "clip_sample": False}
    scheduler = kind.scheduler.from_config(config, **kind.settings)
    scheduler.set_timesteps(steps, device=base.device)
    return Sampler(name, scheduler, kind.is_random)
