"""Generate and cache class images for prior preservation.

Of its two kinds this is *class-images*: images that the untuned base generates from prompts without
the identifier are learnt beside the subject's (Ruiz et al. 2022). *No-images* needs none: it holds
the tuned network's prediction to that of the same network with its adapter off.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.plain_generation import (
    ProgressCallback,
    SamplingSettings,
    sample_latents,
)

_logger = logging.getLogger(__name__)
CLASS_IMAGES = 24  # as latents and with few steps they cost seconds; DreamBooth took 1000 pictures
CLASS_INFERENCE_STEPS = 16
_BATCH = 8
_SAMPLED_WEIGHTS = 16


def class_latents(
    base: BaseModel,
    prompts: Sequence[str],
    cache_dir: Path,
    on_progress: ProgressCallback | None = None,
) -> tuple[torch.Tensor, list[str]]:
    """Return latents (24, C, h, w) that the base generates from class prompts, and each one's
    prompt.

    Cached under the hash of everything that shapes them, batch by batch, so that `on_progress` may
    raise and little is generated again. Never decoded to pixels and back.
    """
    chosen = [prompts[index % len(prompts)] for index in range(CLASS_IMAGES)]
    file = cache_dir / f"{_key(base, chosen)}.safetensors"
    cached = _load_cached(file)
    if cached is not None:
        return cached.to(base.device), chosen
    starts = range(0, CLASS_IMAGES, _BATCH)
    parts = [file.with_name(f"{file.stem}-{start}{file.suffix}") for start in starts]
    batches = []
    for start, part in zip(starts, parts, strict=True):
        batch = _load_cached(part)
        if batch is None:
            rows = range(start, min(start + _BATCH, CLASS_IMAGES))
            batch = _generate(base, chosen, rows, on_progress)
            _save_cached(part, batch)
        batches.append(batch.to(base.device))
    latents = torch.cat(batches)
    _save_cached(file, latents)
    with suppress(OSError):  # a read-only cache has no parts to delete
        for part in parts:
            part.unlink(missing_ok=True)
    return latents, chosen


def _generate(
    base: BaseModel, chosen: Sequence[str], rows: range, on_progress: ProgressCallback | None
) -> torch.Tensor:
    settings = SamplingSettings(
        prompts=[chosen[index] for index in rows],
        seeds=list(rows),
        width=base.training_resolution,
        height=base.training_resolution,
        inference_steps=CLASS_INFERENCE_STEPS,
        guidance_scale=base.guidance_scale,
    )
    return sample_latents(base, settings, on_progress)


def _key(base: BaseModel, prompts: Sequence[str]) -> str:
    """Hash all that shapes the images: the networks, prompts, seeds, size and sampler."""
    facts = {
        "base": base.id,
        "weights": _fingerprint([base.denoiser, *base.text_encoders]),
        "prompts": list(prompts),
        "steps": CLASS_INFERENCE_STEPS,
        "guidance": base.guidance_scale,
        "resolution": base.training_resolution,
        "batch": _BATCH,
        "dtype": str(base.dtype),
        "scheduler": type(base.pipeline.scheduler).__name__,
        "schedule": repr(sorted(base.pipeline.scheduler.config.items())),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _fingerprint(modules: Sequence[torch.nn.Module]) -> str:
    """Hash the first 16 numbers of every weight: a whole UNet would take ten seconds."""
    digest = hashlib.sha256()
    for module in modules:
        for name, weight in module.named_parameters():
            head = weight.detach().flatten()[:_SAMPLED_WEIGHTS].float().cpu().numpy()
            digest.update(f"{name}{tuple(weight.shape)}".encode() + head.tobytes())
    return digest.hexdigest()


def _load_cached(file: Path) -> torch.Tensor | None:
    """Load latents from the cache; None for a missing or damaged file."""
    try:
        return load_file(file)["latents"]
    except (OSError, KeyError, SafetensorError):
        return None


def _save_cached(file: Path, latents: torch.Tensor) -> None:
    """Save latents in the cache; where it cannot be written, log a warning."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        staging = file.with_suffix(".tmp")
        save_file({"latents": latents.cpu().contiguous()}, staging)
        staging.replace(file)
    except (OSError, SafetensorError) as error:
        _logger.warning("the class pictures could not be kept for next time: %s", error)
