"""The subject's decoder: a pixel-art base's autoencoder, corrected for one subject."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.errors import UnsafeModel

# In adapter.safetensors: this and the parameter's name in the decoder, as in
# "lora_decoder.conv_out.bias". diffusers demands "lora" in every key and passes over foreign ones.
KEY = "lora_decoder"
# What is added to the decoder's parameters of these names, fp16.
Correction = Mapping[str, torch.Tensor]


@contextmanager
def corrected(base: BaseModel, correction: Correction) -> Iterator[None]:
    """Decode with the correction; afterwards the base is as it was, to the bit."""
    parameters = dict(base.vae.decoder.named_parameters())
    plain = {name: parameters[name].data for name in correction}
    try:
        with torch.inference_mode(False):  # previews are decoded within the sampler's
            for name, change in correction.items():
                parameters[name].data = plain[name] + change.to(plain[name])
        yield
    finally:
        for name, values in plain.items():
            parameters[name].data = values


def correction_tensors(correction: Correction) -> dict[str, torch.Tensor]:
    """As they stand in an adapter's file."""
    return {f"{KEY}.{name}": change for name, change in correction.items()}


def read_correction(file: Path, base: BaseModel) -> Correction:
    """The correction in an adapter's file; empty where none was learnt.

    Raises UnsafeModel when it does not fit the base's decoder.
    """
    parameters = dict(base.vae.decoder.named_parameters())
    found: dict[str, torch.Tensor] = {}
    with safe_open(file, "pt") as content:
        for key in content.keys():  # noqa: SIM118 -- it is no mapping
            if key.startswith(f"{KEY}."):
                found[key.removeprefix(f"{KEY}.")] = content.get_tensor(key)
    for name, change in found.items():
        fits = name in parameters and parameters[name].shape == change.shape
        if not fits or not torch.isfinite(change).all():
            raise UnsafeModel(
                f"The subject's decoder does not fit {base.id}: {name} is of another size or holds "
                "numbers that are none. Learn the subject again or take it from its exporter again."
            )
    return found


def scaled(correction: Correction, share: float) -> Correction:
    if share == 1.0:
        return correction
    return {name: share * change.float() for name, change in correction.items()}


def mean_of(corrections: Sequence[Correction]) -> Correction:
    """For several subjects that are painted as one: each has its share."""
    total: dict[str, torch.Tensor] = {}
    for correction in corrections:
        for name, change in scaled(correction, 1 / len(corrections)).items():
            total[name] = total[name] + change if name in total else change
    return total


def decode_places(
    base: BaseModel, latents: torch.Tensor, places: Sequence[tuple[Correction, torch.Tensor]]
) -> torch.Tensor:
    """Scaled latents to (B, 3, H, W) in [-1, 1], each place in a decoder of its own.

    The weights (h, w) beside the corrections say how much each counts where; none is 0 everywhere.
    """
    worn = [correction for correction, _ in places]
    if len(worn) == 1 or not any(worn):
        with corrected(base, worn[0]):
            return base.decode_latents(latents)
    pictures, shares = [], []
    for correction, weight in places:
        with corrected(base, correction):
            pictures.append(base.decode_latents(latents))
        size = pictures[-1].shape[-2:]
        weights = weight.to(latents)[None, None]
        shares.append(torch.nn.functional.interpolate(weights, size, mode="bilinear"))
    total = torch.stack(shares).sum(0).clamp_min(1e-6)
    return torch.stack([p * share / total for p, share in zip(pictures, shares, strict=True)]).sum(
        0
    )
