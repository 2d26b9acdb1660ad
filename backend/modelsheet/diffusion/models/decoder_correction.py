"""Correction of a pixel-art base's VAE decoder for one subject: added to its parameters while
images are decoded, and kept in the adapter's file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import UnsafeModel

# Prefix of the parameters' names in adapter.safetensors, as in "lora_decoder.conv_out.bias".
# diffusers demands "lora" in every key and ignores foreign ones.
KEY = "lora_decoder"
# Tensors to add to the decoder's parameters of these names, fp16.
Correction = Mapping[str, torch.Tensor]


@contextmanager
def apply_correction(base: BaseModel, correction: Correction) -> Iterator[None]:
    """Add the correction to the decoder until the block ends; then the base is as it was, to the
    bit.
    """
    parameters = dict(base.vae.decoder.named_parameters())
    original = {name: parameters[name].data for name in correction}
    try:
        with torch.inference_mode(False):  # previews are decoded inside of the sampler's
            for name, delta in correction.items():
                parameters[name].data = original[name] + delta.to(original[name])
        yield
    finally:
        for name, values in original.items():
            parameters[name].data = values


def correction_tensors(correction: Correction) -> dict[str, torch.Tensor]:
    """Return the tensors by their keys in an adapter's file."""
    return {f"{KEY}.{name}": delta for name, delta in correction.items()}


def read_correction(file: Path, base: BaseModel) -> Correction:
    """Read the correction from an adapter's file; empty where none was learnt.

    Raises UnsafeModel when it does not fit the base's decoder.
    """
    parameters = dict(base.vae.decoder.named_parameters())
    found: dict[str, torch.Tensor] = {}
    with safe_open(file, "pt") as content:
        for key in content.keys():  # noqa: SIM118 -- safe_open is no mapping
            if key.startswith(f"{KEY}."):
                found[key.removeprefix(f"{KEY}.")] = content.get_tensor(key)
    for name, delta in found.items():
        fits = name in parameters and parameters[name].shape == delta.shape
        if not fits or not torch.isfinite(delta).all():
            raise UnsafeModel(
                f"The subject's decoder does not fit {base.id}: {name} is of another size or holds "
                "numbers that are none. Learn the subject again or take it from its exporter again."
            )
    return found


def scale_correction(correction: Correction, scale: float) -> Correction:
    if scale == 1.0:
        return correction
    return {name: scale * delta.float() for name, delta in correction.items()}


def mean_correction(corrections: Sequence[Correction]) -> Correction:
    """Average the corrections of several subjects in one image."""
    total: dict[str, torch.Tensor] = {}
    for correction in corrections:
        for name, delta in scale_correction(correction, 1 / len(corrections)).items():
            total[name] = total[name] + delta if name in total else delta
    return total


def decode_regions(
    base: BaseModel,
    latents: torch.Tensor,
    regions: Sequence[tuple[Correction, torch.Tensor | None]],
) -> torch.Tensor:
    """Decode scaled latents to (B, 3, H, W) in [-1, 1], with a correction for each region.

    Regions are merged by their weights (h, w) in latents, None for 1; none may be 0 everywhere.
    """
    corrections = [correction for correction, _ in regions]
    if len(corrections) == 1 or not any(corrections):
        with apply_correction(base, corrections[0]):
            return base.decode_latents(latents)
    images, weights = [], []
    for correction, weight in regions:
        with apply_correction(base, correction):
            images.append(base.decode_latents(latents))
        given = latents.new_ones(latents.shape[-2:]) if weight is None else weight.to(latents)
        size = images[-1].shape[-2:]
        weights.append(torch.nn.functional.interpolate(given[None, None], size, mode="bilinear"))
    total = torch.stack(weights).sum(0).clamp_min(1e-6)
    merged = [image * weight / total for image, weight in zip(images, weights, strict=True)]
    return torch.stack(merged).sum(0)
