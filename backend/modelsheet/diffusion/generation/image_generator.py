"""Generate the planned images of one job: in batches as large as memory allows, with progress and
previews.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from modelsheet.api.generate import SamplerName
from modelsheet.api.generate_result import GeneratedImage
from modelsheet.api.jobs import Progress
from modelsheet.diffusion.generation.adapters import AdapterCache
from modelsheet.diffusion.generation.background_removal import BackgroundRemover
from modelsheet.diffusion.generation.canvas import Canvas, encode_init_image
from modelsheet.diffusion.generation.image_plan import ConditioningPicture, ImagePlan
from modelsheet.diffusion.generation.latent_preview import PreviewDecoder
from modelsheet.diffusion.generation.oom_fallback import OomFallback
from modelsheet.diffusion.generation.seamless_tiling import circular_padding
from modelsheet.diffusion.models.base_model import BaseModel, to_levels, to_pil_images
from modelsheet.diffusion.models.decoder_correction import apply_correction, decode_regions
from modelsheet.diffusion.sampling.denoise import (
    DenoisingBatch,
    InitLatents,
    PredictedX0,
    StepCallback,
    Window,
    denoise,
    sample_noise,
    start_index,
)
from modelsheet.diffusion.sampling.samplers import make_sampler
from modelsheet.errors import Cancelled
from modelsheet.imaging.residuals import add_residual_by_colour
from modelsheet.imaging.rgba import Colour
from modelsheet.jobs.blob_images import write_image
from modelsheet.jobs.protocol import Directive, JobContext

_PREVIEW_INTERVAL_S = 1.0
_WHITE: Colour = (255, 255, 255)


class GenerationPipeline:
    """A base model and the components that stay in memory with it between generate jobs."""

    def __init__(self, base: BaseModel, data_dir: Path) -> None:
        self.base = base
        self.background_remover = BackgroundRemover(data_dir)
        self.adapters = AdapterCache(base)
        self.oom_fallback = OomFallback(base)
        self._preview_decoder: PreviewDecoder | None = None

    @property
    def preview_decoder(self) -> PreviewDecoder:
        if self._preview_decoder is None:
            self._preview_decoder = PreviewDecoder(self.base)
        return self._preview_decoder


class ImageGenerator:
    """Generates one job's images on one canvas; RGB `references` condition all of them."""

    def __init__(
        self,
        pipeline: GenerationPipeline,
        canvas: Canvas,
        sampler: SamplerName,
        context: JobContext,
        references: Sequence[Image.Image] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pipeline, self._base = pipeline, pipeline.base
        self._canvas, self._sampler = canvas, sampler
        self._context, self._clock, self._references = context, clock, references
        self._encoded: dict[tuple[ConditioningPicture, ...], tuple[torch.Tensor, ...]] = {}
        self._areas = self._window_areas()
        self._done = self._total = 0
        self._began = self._previewed = clock()

    def generate(self, plans: Sequence[ImagePlan], *, tiling: bool) -> list[Image.Image]:
        """Return RGB images in the order of the plans. Raises Cancelled, torch.OutOfMemoryError."""
        self._total = sum(self._steps(plan) for plan in plans)
        images: dict[int, Image.Image] = {}
        with circular_padding(self._base) if tiling else nullcontext():
            for group in _batchable(plans):
                self._generate_group(group, plans, images)
        return [images[index] for index in range(len(plans))]

    def _generate_group(
        self, pending: list[int], plans: Sequence[ImagePlan], images: dict[int, Image.Image]
    ) -> None:
        """Generate batch by batch; retry one that is too large for the memory with a smaller."""
        fallback = self._pipeline.oom_fallback
        while pending:
            batch, done = pending[: fallback.batch_size], self._done
            try:
                generated = self._generate_batch([plans[index] for index in batch])
            except torch.OutOfMemoryError:
                self._done = done
                if not fallback.reduce_memory():
                    raise
                continue
            images.update(zip(batch, generated, strict=True))
            pending = pending[len(batch) :]

    def _generate_batch(self, plans: Sequence[ImagePlan]) -> list[Image.Image]:
        generators = [torch.Generator().manual_seed(plan.request.seed) for plan in plans]
        init = self._init_latents(plans)
        batch = DenoisingBatch(
            windows=[self._window(plans, index) for index in range(len(self._areas))],
            noise=self._noise(plans, generators),
            guidance_scales=[plan.guidance_scale for plan in plans],
            generators=generators,
            init=init[0] if init else None,
            callback_on_step_end=self._report_step(plans),
        )
        sampler = make_sampler(self._base, self._sampler, plans[0].steps, batch.noise.shape[-2:])
        latents = denoise(self._base, batch, sampler)
        self._done += sum(self._steps(plan) for plan in plans)
        images = self._decode(latents, plans[0])
        if init is not None and (init[0].strength < 1 or init[0].mask is not None):
            return self._keep_unchanged(images, *init, plans[0])
        return to_pil_images(images)

    def _keep_unchanged(
        self, images: torch.Tensor, init: InitLatents, original: Image.Image, plan: ImagePlan
    ) -> list[Image.Image]:
        """Add to what did not change the colours that the autoencoder loses.

        A strength below one step blends that step's change in, so that it goes to nothing with it.
        """
        reconstruction = to_levels(self._decode(init.latents[:1], plan))[0]
        part = min(1.0, init.strength * plan.steps)
        before = np.asarray(original, dtype=np.float32)
        kept = []
        for after in to_levels(images):
            changed = reconstruction + part * (after - reconstruction)
            levels = add_residual_by_colour(changed, reconstruction, before)
            kept.append(Image.fromarray(levels.round().clip(0, 255).astype(np.uint8)))
        return kept

    def _decode(self, latents: torch.Tensor, plan: ImagePlan) -> torch.Tensor:
        """Decode to (B, 3, H, W), each region with its subject's correction of the decoder."""
        corrections = map(self._pipeline.adapters.decoder_correction, plan.adapters)
        weights = [weight for _, weight in self._areas]
        return decode_regions(self._base, latents, list(zip(corrections, weights, strict=True)))

    def _window_areas(self) -> list[tuple[tuple[slice, slice], torch.Tensor | None]]:
        """List the area in latents and the weight of the whole canvas, then of each region."""
        whole, canvas = (slice(None), slice(None)), self._canvas.regions
        if canvas is None:
            return [(whole, None)]
        areas = [(whole, canvas.background), *((r.window, r.weight) for r in canvas.regions)]
        return [(area, torch.tensor(weight, device=self._base.device)) for area, weight in areas]

    def _window(self, plans: Sequence[ImagePlan], index: int) -> Window:
        cache, adapters = self._pipeline.adapters, plans[0].adapters[index]
        area, weight = self._areas[index]
        cond = [cache.encode_prompt(plan.prompts[index], plan.adapters[index]) for plan in plans]
        uncond = [
            cache.encode_prompt(plan.request.negative_prompt, plan.adapters[index])
            for plan in plans
        ]
        longest = max(each.hidden.shape[1] for each in [*cond, *uncond])
        cond_batch, uncond_batch = (
            self._base.with_references(
                self._base.batch_embeds(embeds, longest),
                self._encode_references(plans[0].conditioning[index]),
                is_negative=embeds is uncond,
            )
            for embeds in (cond, uncond)
        )
        return Window(
            cond=cond_batch,
            uncond=uncond_batch,
            area=area,
            weight=weight,
            activate=lambda: cache.activate(adapters),
        )

    def _encode_references(self, own: tuple[ConditioningPicture, ...]) -> tuple[torch.Tensor, ...]:
        """Encode the pictures of a prompt's subjects, then those of the request."""
        pictures = [*(each.picture for each in own), *self._references]
        if own not in self._encoded:
            self._encoded[own] = self._base.encode_references(pictures) if pictures else ()
        return self._encoded[own]

    def _noise(
        self, plans: Sequence[ImagePlan], generators: Sequence[torch.Generator]
    ) -> torch.Tensor:
        noise = sample_noise(self._base, generators, *self._canvas.size)
        strengths = [plan.request.variation_strength for plan in plans]
        if not any(strengths):
            return noise
        others = [torch.Generator().manual_seed(plan.request.variation_seed) for plan in plans]
        other = sample_noise(self._base, others, *self._canvas.size)
        return torch.stack([_slerp(*each) for each in zip(noise, other, strengths, strict=True)])

    def _init_latents(self, plans: Sequence[ImagePlan]) -> tuple[InitLatents, Image.Image] | None:
        """Return what a batch begins with, and the image that it encodes; None for noise."""
        background = plans[0].background
        colour = background.colour if background else _WHITE
        encoded = encode_init_image(self._base, self._canvas, colour)
        if encoded is None:
            return None
        init, image = encoded
        return replace(init, latents=init.latents.repeat(len(plans), 1, 1, 1)), image

    def _steps(self, plan: ImagePlan) -> int:
        """Return the steps an image takes: fewer when an initial image changes only a little."""
        strength = self._canvas.strength if self._canvas.init_image is not None else 1.0
        return plan.steps - start_index(strength, plan.steps)

    def _report_step(self, plans: Sequence[ImagePlan]) -> StepCallback:
        before = self._done

        def report(pred_x0: PredictedX0, step: int, total: int) -> None:
            done = before + step * len(plans)
            previews = self._previews(pred_x0, plans) if step < total else []
            self._context.progress(
                Progress(
                    phase="painting",
                    step=done,
                    total=self._total,
                    fraction=min(1.0, done / self._total),
                    eta_s=(self._clock() - self._began) / done * max(0, self._total - done),
                    previews=previews,
                )
            )
            if self._context.directive() is Directive.CANCEL:
                raise Cancelled("Painting was cancelled.")

        return report

    def _previews(self, pred_x0: PredictedX0, plans: Sequence[ImagePlan]) -> list[GeneratedImage]:
        if self._clock() - self._previewed < _PREVIEW_INTERVAL_S:
            return []
        self._previewed = self._clock()
        correction = self._pipeline.adapters.decoder_correction(plans[0].adapters[0])
        with apply_correction(self._base, correction):
            images = self._pipeline.preview_decoder.decode(pred_x0())
        return [
            write_image(image, plan.request.seed, plan.request.prompt, self._context)
            for image, plan in zip(images, plans, strict=True)
        ]


def _batchable(plans: Sequence[ImagePlan]) -> list[list[int]]:
    """Group the indices of plans that can be denoised in one batch."""
    groups: dict[tuple[object, ...], list[int]] = {}
    for index, plan in enumerate(plans):
        groups.setdefault(plan.batch_key, []).append(index)
    return list(groups.values())


def _slerp(first: torch.Tensor, second: torch.Tensor, fraction: float) -> torch.Tensor:
    """Interpolate spherically between two noises; unlike a linear mean, the result is again noise
    of unit variance.
    """
    cosine = torch.nn.functional.cosine_similarity(first.flatten(), second.flatten(), dim=0)
    angle = torch.arccos(cosine.clamp(-1.0, 1.0))
    if float(angle.sin()) < 1e-4:
        return first
    mixed = ((1 - fraction) * angle).sin() * first + (fraction * angle).sin() * second
    return mixed / angle.sin()
