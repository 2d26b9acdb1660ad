"""Prior preservation, both kinds: what the original model makes of prompts without the identifier.

*Class images*: pictures that the bare base painted are learnt beside the subject's (Ruiz et al.
2022). *No images*: the tuned network's prediction is held to that of the same network with its
adapter off.
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
_NUMBERS = 16


def class_latents(
    base: BaseModel, prompts: Sequence[str], cache: Path, report: ProgressCallback | None = None
) -> tuple[torch.Tensor, list[str]]:
    """Latents (24, C, h, w) that the bare base paints of class prompts, and the prompt of each.

    Cached under the hash of everything that shapes them, batch by batch, so that `report` may raise
    to step aside and little is painted again. Never decoded to pixels and back.
    """
    chosen = [prompts[index % len(prompts)] for index in range(CLASS_IMAGES)]
    file = cache / f"{_key(base, chosen)}.safetensors"
    kept = _kept(file)
    if kept is not None:
        return kept.to(base.device), chosen
    starts = range(0, CLASS_IMAGES, _BATCH)
    parts = [file.with_name(f"{file.stem}-{start}{file.suffix}") for start in starts]
    painted = []
    for start, part in zip(starts, parts, strict=True):
        kept = _kept(part)
        if kept is None:
            kept = _paint(base, chosen, range(start, min(start + _BATCH, CLASS_IMAGES)), report)
            _store(part, kept)
        painted.append(kept.to(base.device))
    latents = torch.cat(painted)
    _store(file, latents)
    with suppress(OSError):  # what cannot be written cannot be taken away
        for part in parts:
            part.unlink(missing_ok=True)
    return latents, chosen


def _paint(
    base: BaseModel, chosen: Sequence[str], batch: range, report: ProgressCallback | None
) -> torch.Tensor:
    painting = SamplingSettings(
        prompts=[chosen[index] for index in batch],
        seeds=list(batch),
        width=base.resolution,
        height=base.resolution,
        inference_steps=CLASS_INFERENCE_STEPS,
        guidance_scale=base.guidance_scale,
    )
    return sample_latents(base, painting, report)


def _key(base: BaseModel, prompts: Sequence[str]) -> str:
    """Hash of all that shapes the pictures: the networks, prompts, seeds, size and sampler."""
    facts = {
        "base": base.id,
        "weights": _fingerprint([base.unet, *base.text_encoders]),
        "prompts": list(prompts),
        "steps": CLASS_INFERENCE_STEPS,
        "guidance": base.guidance_scale,
        "resolution": base.resolution,
        "batch": _BATCH,
        "dtype": str(base.dtype),
        "scheduler": type(base.pipeline.scheduler).__name__,
        "schedule": repr(sorted(base.pipeline.scheduler.config.items())),
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:32]


def _fingerprint(modules: Sequence[torch.nn.Module]) -> str:
    """Hash of the first numbers of every weight: a whole UNet would take ten seconds."""
    digest = hashlib.sha256()
    for module in modules:
        for name, weight in module.named_parameters():
            head = weight.detach().flatten()[:_NUMBERS].float().cpu().numpy()
            digest.update(f"{name}{tuple(weight.shape)}".encode() + head.tobytes())
    return digest.hexdigest()


def _kept(file: Path) -> torch.Tensor | None:
    """What was painted earlier; a damaged file counts as none."""
    try:
        return load_file(file)["latents"]
    except (OSError, KeyError, SafetensorError):
        return None


def _store(file: Path, latents: torch.Tensor) -> None:
    """A cache that cannot be written costs time, not the job."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        staging = file.with_suffix(".tmp")
        save_file({"latents": latents.cpu().contiguous()}, staging)
        staging.replace(file)
    except (OSError, SafetensorError) as error:
        _logger.warning("the class pictures could not be kept for next time: %s", error)
