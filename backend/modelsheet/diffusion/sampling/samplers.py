"""Samplers of a base model: its defaults, its limits, and the schedule of one denoising run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from modelsheet.api.generate import SamplerName
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.sampler_spec import SamplerSpec, Scheduler
from modelsheet.errors import InvalidRequest


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
    return next(iter(base.samplers))


def default_steps(base: BaseModel, name: SamplerName) -> int:
    """Return a sampler's default steps. Raises InvalidRequest: the base has no such sampler."""
    return _spec(base, name).default_steps


def choose_guidance_scale(base: BaseModel, name: SamplerName, wanted: float | None = None) -> float:
    """Return the guidance scale that is wanted, else the sampler's or the base's own."""
    if wanted is not None and base.has_guidance:
        return wanted
    own = _spec(base, name).guidance_scale
    return base.guidance_scale if own is None else own


def check_steps(base: BaseModel, name: SamplerName, steps: int) -> None:
    """Check that the sampler has a schedule of so many steps. Raises InvalidRequest."""
    max_steps = _spec(base, name).max_steps
    if steps > max_steps:
        raise InvalidRequest(f"{name} takes at most {max_steps} steps, not {steps}. Ask for fewer.")


def make_sampler(base: BaseModel, name: SamplerName, steps: int, size: Sequence[int]) -> Sampler:
    """Make a sampler over the base's noise schedule, for latents of `size` (h, w).

    Raises InvalidRequest for too many steps, and a sampler that the base does not have.
    """
    check_steps(base, name, steps)
    spec = _spec(base, name)
    return Sampler(name, base.make_scheduler(spec, steps, size), spec.is_random)


def _spec(base: BaseModel, name: SamplerName) -> SamplerSpec:
    spec = base.samplers.get(name)
    if spec is None:
        raise InvalidRequest(
            f"{base.id} does not paint with {name}. Take one of: {', '.join(base.samplers)}."
        )
    return spec
