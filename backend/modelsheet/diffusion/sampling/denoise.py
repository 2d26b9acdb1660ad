"""Denoising loop: text-to-image, image-to-image, inpainting and regional prompts in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch

from modelsheet.diffusion.kernels.merged_lora import merge_lora
from modelsheet.diffusion.kernels.packed_conv2d import pack_convolutions
from modelsheet.diffusion.models.base_model import BaseModel, PromptEmbeds
from modelsheet.diffusion.models.cpu_threads import AdaptiveRunner, halves_batches
from modelsheet.diffusion.sampling.samplers import Sampler

# Predicts x_0 (B, C, h, w), scaled latents; computed only when called.
PredictedX0 = Callable[[], torch.Tensor]
# Called after every step with the predicted x_0, steps done and steps in all; may raise to stop.
StepCallback = Callable[[PredictedX0, int, int], None]

_GUIDANCE_RESCALE = 0.7  # what Lin et al. recommend
# Pictures: four of sprite32 take two thirds of the time by two threads. Fewer gain little, and
# would depend on how many are painted together, as smaller batches are rounded differently.
_LEAST_HALF = 4
_WHOLE = (slice(None), slice(None))


def _keep_adapters() -> None:
    return None


@dataclass(frozen=True)
class Window:
    """A MultiDiffusion window of the canvas, denoised to its own prompt; the whole canvas is one.

    `area` is its rows and columns in latents, `weight` (h, w) of the whole canvas its part in each
    latent, None the same everywhere; `activate` switches to its adapters.
    """

    cond: PromptEmbeds
    uncond: PromptEmbeds
    area: tuple[slice, slice] = _WHOLE
    weight: torch.Tensor | None = None
    activate: Callable[[], None] = _keep_adapters


@dataclass(frozen=True)
class InitLatents:
    """Scaled latents (B, C, h, w) to begin with instead of noise; `strength` in (0, 1] is the part
    of the schedule they are noised to. They stay where `mask` (h, w) is 0 and change where it is 1.
    """

    latents: torch.Tensor
    strength: float
    mask: torch.Tensor | None = None


@dataclass(frozen=True)
class DenoisingBatch:
    """Images denoised together: noise (B, C, h, w), fp32, and guidance for each of them."""

    windows: Sequence[Window]
    noise: torch.Tensor
    guidance_scales: Sequence[float]
    generators: Sequence[torch.Generator]
    init: InitLatents | None = None
    callback_on_step_end: StepCallback | None = None
    runner: AdaptiveRunner = field(default_factory=AdaptiveRunner)


@torch.inference_mode()
def denoise(base: BaseModel, batch: DenoisingBatch, sampler: Sampler) -> torch.Tensor:
    """Run the sampler's steps on a batch; scaled latents, fp32, of the noise's shape."""
    with _merged_adapters(base, batch), pack_convolutions(base.denoiser):
        return _denoise(base, batch, sampler)


def _merged_adapters(base: BaseModel, batch: DenoisingBatch) -> AbstractContextManager[None]:
    """Merge the adapters into a small network, unless windows have adapters of their own."""
    if len(batch.windows) > 1 or not base.is_small:
        return nullcontext()
    batch.windows[0].activate()
    return merge_lora(base.denoiser)


def _denoise(base: BaseModel, batch: DenoisingBatch, sampler: Sampler) -> torch.Tensor:
    scheduler, start = sampler.scheduler, _start_index(batch, sampler)
    schedule = base.noise_schedule
    timesteps = sampler.timesteps[start:]
    if hasattr(scheduler, "set_begin_index"):
        scheduler.set_begin_index(start)
    x_t = _first_latents(batch, sampler, timesteps[:1])
    # Only random samplers take generators, and not all others admit the argument.
    generator_kwargs = {"generator": list(batch.generators)} if sampler.is_random else {}
    for index, t in enumerate(timesteps):
        model_input = scheduler.scale_model_input(x_t, t)
        noise_pred = _multidiffusion(base, batch, model_input, t)
        x_t = scheduler.step(noise_pred, t, x_t, return_dict=False, **generator_kwargs)[0]
        x_t = _restore_unmasked(batch, sampler, x_t, timesteps[index + 1 : index + 2])
        if batch.callback_on_step_end is not None:
            pred_x0 = partial(schedule.predict_x0, model_input, noise_pred, t)
            batch.callback_on_step_end(pred_x0, index + 1, len(timesteps))
    return x_t


def sample_noise(
    base: BaseModel, generators: Sequence[torch.Generator], width: int, height: int
) -> torch.Tensor:
    """Sample each image's own noise (B, C, h, w) on the CPU, so that every device gives the same
    images. Sizes in px.
    """
    shape = (base.latent_channels, height // base.latent_factor, width // base.latent_factor)
    return torch.stack([torch.randn(shape, generator=each) for each in generators]).to(base.device)


def start_index(strength: float, steps: int) -> int:
    """Return the index of the first step: 0 at full strength, and at most that of the last one."""
    return steps - max(1, min(steps, int(steps * strength)))


def _start_index(batch: DenoisingBatch, sampler: Sampler) -> int:
    strength = 1.0 if batch.init is None else batch.init.strength
    return start_index(strength, len(sampler.timesteps))


def _first_latents(batch: DenoisingBatch, sampler: Sampler, t: torch.Tensor) -> torch.Tensor:
    if batch.init is None or batch.init.strength >= 1.0:
        noise: torch.Tensor = batch.noise * sampler.scheduler.init_noise_sigma
        return noise
    return _add_noise(batch.init.latents, batch, sampler, t)


def _add_noise(
    latents: torch.Tensor, batch: DenoisingBatch, sampler: Sampler, t: torch.Tensor
) -> torch.Tensor:
    noised: torch.Tensor = sampler.scheduler.add_noise(latents, batch.noise, t.repeat(len(latents)))
    return noised


def _restore_unmasked(
    batch: DenoisingBatch, sampler: Sampler, x_t: torch.Tensor, next_t: torch.Tensor
) -> torch.Tensor:
    """Put the initial latents back where the mask is 0, as noisy as the next step expects them
    (RePaint, Lugmayr et al. 2022).
    """
    init = batch.init
    if init is None or init.mask is None:
        return x_t
    known = init.latents
    if len(next_t):
        known = _add_noise(known, batch, sampler, next_t)
    return torch.lerp(known, x_t, init.mask)


def _multidiffusion(
    base: BaseModel, batch: DenoisingBatch, model_input: torch.Tensor, t: torch.Tensor
) -> torch.Tensor:
    """Predict the noise in every window and merge the predictions, where windows overlap as a
    weighted mean (MultiDiffusion, Bar-Tal et al. 2023, eq. 5).
    """
    if len(batch.windows) == 1 and batch.windows[0].weight is None:
        batch.windows[0].activate()
        return _guided_noise_pred(base, batch, batch.windows[0], model_input, t)
    total = torch.zeros_like(model_input)
    weights = model_input.new_zeros(model_input.shape[-2:])
    for window in batch.windows:
        window.activate()
        weight = torch.ones_like(weights) if window.weight is None else window.weight
        rows, columns = window.area
        part = model_input[..., rows, columns]
        noise_pred = _guided_noise_pred(base, batch, window, part, t)
        total[..., rows, columns] += noise_pred * weight[rows, columns]
        weights[rows, columns] += weight[rows, columns]
    return total / weights.clamp_min(1e-6)


def _guided_noise_pred(
    base: BaseModel,
    batch: DenoisingBatch,
    window: Window,
    model_input: torch.Tensor,
    t: torch.Tensor,
) -> torch.Tensor:
    """Predict the noise with classifier-free guidance, each image with its own scale (Ho & Salimans
    2022); a scale of 1 needs no negative prompt.
    """
    if all(scale == 1.0 for scale in batch.guidance_scales):
        return base.predict(model_input, t, window.cond)
    uncond, cond = _predict_both(base, window, model_input, t, batch.runner)
    scale = model_input.new_tensor(list(batch.guidance_scales))[:, None, None, None]
    noise_pred = uncond + scale * (cond - uncond)
    return _rescale_noise_cfg(noise_pred, cond, _guidance_rescale(base))


def _predict_both(
    base: BaseModel,
    window: Window,
    model_input: torch.Tensor,
    t: torch.Tensor,
    runner: AdaptiveRunner,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Predict the noise without and with the prompt: in one batch, or each by a thread."""
    has_ip_adapter = window.cond.pictures is not None  # whose state is that of one call
    if len(model_input) < _LEAST_HALF or has_ip_adapter or not halves_batches(base):
        embeds = window.uncond.followed_by(window.cond)
        uncond, cond = base.predict(torch.cat([model_input] * 2), t, embeds).chunk(2)
        return uncond, cond

    @torch.inference_mode()  # a thread does not take it over
    def predict_uncond() -> torch.Tensor:
        return base.predict(model_input, t, window.uncond)

    def predict_cond() -> torch.Tensor:
        return base.predict(model_input, t, window.cond)

    uncond, cond = runner.run([predict_uncond, predict_cond])
    return uncond, cond


def _guidance_rescale(base: BaseModel) -> float:
    """Return the share of rescaling: guidance over-exposes models of zero terminal SNR (Lin et al.
    2023, section 3.4), and only those.
    """
    is_zero_snr = base.pipeline.scheduler.config.get("rescale_betas_zero_snr")
    return _GUIDANCE_RESCALE if is_zero_snr else 0.0


def _rescale_noise_cfg(
    noise_cfg: torch.Tensor, cond: torch.Tensor, guidance_rescale: float
) -> torch.Tensor:
    """Bring the guided prediction's deviation towards that of the conditional one."""
    if not guidance_rescale:
        return noise_cfg
    axes = tuple(range(1, noise_cfg.ndim))
    ratio = cond.std(dim=axes, keepdim=True) / noise_cfg.std(dim=axes, keepdim=True)
    return torch.lerp(noise_cfg, noise_cfg * ratio, guidance_rescale)
