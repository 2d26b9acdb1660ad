"""FLUX.2's sampler: Euler's method along the flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.flux2.pipeline_flux2_klein import compute_empirical_mu

from modelsheet.api.generate import SamplerName
from modelsheet.diffusion.families.flux2.flow_matching import TIMESTEPS, FlowMatchingSchedule
from modelsheet.diffusion.models.sampler_spec import SamplerSpec

_STEPS, _DISTILLED_STEPS = 50, 4  # of the makers' own examples


class FlowMatchEuler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]
    """diffusers' scheduler with the interface that its schedulers for Stable Diffusion have."""

    init_noise_sigma = 1.0

    def scale_model_input(self, sample: torch.Tensor, timestep: torch.Tensor) -> torch.Tensor:
        return sample

    def add_noise(
        self, latents: torch.Tensor, noise: torch.Tensor, timesteps: torch.Tensor
    ) -> torch.Tensor:
        return FlowMatchingSchedule().add_noise(latents, noise, timesteps)


def samplers_of(*, is_distilled: bool) -> Mapping[SamplerName, SamplerSpec]:
    return {"Euler": SamplerSpec(FlowMatchEuler, _DISTILLED_STEPS if is_distilled else _STEPS)}


def make_scheduler(
    config: Mapping[str, Any], steps: int, size: Sequence[int], device: torch.device
) -> FlowMatchEuler:
    """Make a scheduler for latents of `size` (h, w): the larger, the longer it stays in noise."""
    scheduler: FlowMatchEuler = FlowMatchEuler.from_config(config)
    assert scheduler.config.num_train_timesteps == TIMESTEPS
    mu = compute_empirical_mu(image_seq_len=size[0] * size[1], num_steps=steps)
    scheduler.set_timesteps(steps, device=device, sigmas=np.linspace(1.0, 1 / steps, steps), mu=mu)
    return scheduler
