"""Stable Diffusion's samplers: diffusers' schedulers under their A1111 names, over a base's own
noise schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from modelsheet.diffusion.models.sampler_spec import SamplerSpec, Scheduler

# The first is for bases whose folder names another scheduler.
_SPECS: Mapping[SamplerName, SamplerSpec] = {
    "DPM++ 2M Karras": SamplerSpec(
        DPMSolverMultistepScheduler, 20, settings={"use_karras_sigmas": True}
    ),
    "UniPC": SamplerSpec(UniPCMultistepScheduler, 20),
    "Euler": SamplerSpec(EulerDiscreteScheduler, 25),
    "Euler a": SamplerSpec(EulerAncestralDiscreteScheduler, 30, is_random=True),
    "DDIM": SamplerSpec(DDIMScheduler, 25),
    # LCM models were distilled with 50 steps, and have guidance distilled in.
    "LCM": SamplerSpec(LCMScheduler, 6, is_random=True, max_steps=50, guidance_scale=1.5),
}


def samplers_of(scheduler: Scheduler) -> Mapping[SamplerName, SamplerSpec]:
    """Return all samplers, first that of the scheduler which the base's folder names."""
    own = {name: spec for name, spec in _SPECS.items() if type(scheduler) is spec.scheduler}
    return {**own, **_SPECS}


def make_scheduler(
    config: Mapping[str, Any], spec: SamplerSpec, steps: int, device: torch.device
) -> Scheduler:
    """Make a scheduler over the base's noise schedule, whose config is given."""
    # clip_sample is meant for pixels; it would clip latents.
    scheduler = spec.scheduler.from_config({**config, "clip_sample": False}, **spec.settings)
    scheduler.set_timesteps(steps, device=device)
    return scheduler
