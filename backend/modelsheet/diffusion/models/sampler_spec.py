"""One sampler of a base model: a scheduler of diffusers, and how it is used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

# A diffusers scheduler; they have no annotated base class.
Scheduler = Any


@dataclass(frozen=True)
class SamplerSpec:
    """A scheduler class and its default steps; `is_random` samples new noise at each step.

    `guidance_scale` is the default with this sampler, None the base's own.
    """

    scheduler: type[Scheduler]
    default_steps: int
    is_random: bool = False
    max_steps: int = 200  # api.types.InferenceSteps
    settings: Mapping[str, Any] = field(default_factory=dict)
    guidance_scale: float | None = None
