"""The way from noise to latents: one loop for new pictures, changed ones, and places in them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.sampling.samplers import Sampler

# Gives the scaled latents (B, C, h, w) that the prediction leads to; costs only when asked.
Look = Callable[[], torch.Tensor]
# Called after every step with a look, steps done and steps in all; may raise to stop.
Watch = Callable[[Look, int, int], None]
Window = tuple[slice, slice]

_RESCALE = 0.7  # what Lin et al. recommend
_EVERYWHERE: Window = (slice(None), slice(None))


def _nothing() -> None:
    return None


@dataclass(frozen=True)
class View:
    """A window of the canvas, in latents, painted to its own prompt.

    `weight` (h, w) says how much it counts in each latent of the window, None as much as any;
    `enter` puts on the adapters it is painted with.
    """

    embeds: PromptEmbeds
    negative: PromptEmbeds
    window: Window = _EVERYWHERE
    weight: torch.Tensor | None = None
    enter: Callable[[], None] = _nothing


@dataclass(frozen=True)
class Start:
    """Begin with these scaled latents (B, C, h, w) instead of noise; `strength` in (0, 1] says how
    much of the way back into noise they go. Where `free` (h, w) is 0 they stay, where 1 not.
    """

    latents: torch.Tensor
    strength: float
    free: torch.Tensor | None = None


@dataclass(frozen=True)
class Run:
    """One batch: starting noise (B, C, h, w) fp32, and guidance for each picture of it."""

    views: Sequence[View]
    noise: torch.Tensor
    guidance: Sequence[float]
    generators: Sequence[torch.Generator]
    start: Start | None = None
    watch: Watch | None = None


@torch.inference_mode()
def denoise(base: BaseModel, run: Run, sampler: Sampler) -> torch.Tensor:
    """Walk through the sampler's steps; gives scaled latents, fp32, of the noise's shape."""
    scheduler, begin = sampler.scheduler, _begin(run, sampler)
    timesteps = sampler.timesteps[begin:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(begin)
    latents = _first_latents(run, sampler, timesteps[:1])
    # Only random samplers take generators, and not all others admit the argument.
    chance = {"generator": list(run.generators)} if sampler.is_random else {}
    for index, timestep in enumerate(timesteps):
        scaled = scheduler.scale_model_input(latents, timestep)
        prediction = _merged(base, run, scaled, timestep)
        latents = scheduler.step(prediction, timestep, latents, return_dict=False, **chance)[0]
        latents = _with_kept(run, sampler, latents, timesteps[index + 1 : index + 2])
        if run.watch is not None:
            look = partial(_foreseen, base, scaled, prediction, timestep)
            run.watch(look, index + 1, len(timesteps))
    return latents


def _foreseen(
    base: BaseModel, scaled: torch.Tensor, prediction: torch.Tensor, timestep: torch.Tensor
) -> torch.Tensor:
    """Where the prediction leads to; what the UNet reads is of unit variance for every sampler."""
    scheduler = base.noise_scheduler
    kept = scheduler.alphas_cumprod[round(float(timestep))].item()
    noise_share = (1 - kept) ** 0.5
    if scheduler.config.prediction_type == "v_prediction":
        foreseen: torch.Tensor = kept**0.5 * scaled - noise_share * prediction
    else:
        foreseen = (scaled - noise_share * prediction) / max(kept, 1e-6) ** 0.5
    return foreseen


def first_step(strength: float, steps: int) -> int:
    """The step to begin with: at full strength the first, and always at least the last one."""
    return steps - max(1, min(steps, int(steps * strength)))


def _begin(run: Run, sampler: Sampler) -> int:
    strength = 1.0 if run.start is None else run.start.strength
    return first_step(strength, len(sampler.timesteps))


def _first_latents(run: Run, sampler: Sampler, timestep: torch.Tensor) -> torch.Tensor:
    if run.start is None or run.start.strength >= 1.0:
        noise: torch.Tensor = run.noise * sampler.scheduler.init_noise_sigma
        return noise
    return _noised(run.start.latents, run, sampler, timestep)


def _noised(
    latents: torch.Tensor, run: Run, sampler: Sampler, timestep: torch.Tensor
) -> torch.Tensor:
    noised: torch.Tensor = sampler.scheduler.add_noise(
        latents, run.noise, timestep.repeat(len(latents))
    )
    return noised


def _with_kept(
    run: Run, sampler: Sampler, latents: torch.Tensor, next_timestep: torch.Tensor
) -> torch.Tensor:
    """Put back what may not change, as noisy as the next step expects it (RePaint's scheme)."""
    start = run.start
    if start is None or start.free is None:
        return latents
    kept = start.latents
    if len(next_timestep):
        kept = _noised(kept, run, sampler, next_timestep)
    return torch.lerp(kept, latents, start.free)


def _merged(
    base: BaseModel, run: Run, latents: torch.Tensor, timestep: torch.Tensor
) -> torch.Tensor:
    """What the views say, where they overlap as a weighted mean (MultiDiffusion, Bar-Tal et al.
    2023, eq. 5).
    """
    if len(run.views) == 1 and run.views[0].weight is None:
        run.views[0].enter()
        return _guided(base, run, run.views[0], latents, timestep)
    total, weights = torch.zeros_like(latents), latents.new_zeros(latents.shape[-2:])
    for view in run.views:
        view.enter()
        part = latents[..., view.window[0], view.window[1]]
        weight = part.new_ones(part.shape[-2:]) if view.weight is None else view.weight
        said = _guided(base, run, view, part, timestep)
        total[..., view.window[0], view.window[1]] += said * weight
        weights[view.window[0], view.window[1]] += weight
    return total / weights.clamp_min(1e-6)


def _guided(
    base: BaseModel, run: Run, view: View, latents: torch.Tensor, timestep: torch.Tensor
) -> torch.Tensor:
    """Classifier-free guidance, each picture with its own scale; 1 needs no negative prompt."""
    if all(scale == 1.0 for scale in run.guidance):
        return base.predict(latents, timestep, view.embeds)
    both = _joined(view.negative, view.embeds)
    negative, positive = base.predict(torch.cat([latents] * 2), timestep, both).chunk(2)
    scale = latents.new_tensor(list(run.guidance))[:, None, None, None]
    guided = negative + scale * (positive - negative)
    return _rescaled(guided, positive, _guidance_rescale(base))


def _joined(first: PromptEmbeds, second: PromptEmbeds) -> PromptEmbeds:
    pooled = None
    if first.pooled is not None and second.pooled is not None:
        pooled = torch.cat([first.pooled, second.pooled])
    return PromptEmbeds(torch.cat([first.hidden, second.hidden]), pooled)


def _guidance_rescale(base: BaseModel) -> float:
    """Models of zero terminal SNR are over-exposed by guidance; Lin et al. 2023, section 3.4."""
    return _RESCALE if base.pipeline.scheduler.config.get("rescale_betas_zero_snr") else 0.0


def _rescaled(guided: torch.Tensor, positive: torch.Tensor, share: float) -> torch.Tensor:
    if not share:
        return guided
    axes = tuple(range(1, guided.ndim))
    spread = positive.std(dim=axes, keepdim=True) / guided.std(dim=axes, keepdim=True)
    return torch.lerp(guided, guided * spread, share)
