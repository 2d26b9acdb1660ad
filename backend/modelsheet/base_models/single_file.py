"""Inspect single-file checkpoints of A1111 and ComfyUI by their safetensors header."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelsheet.api.types import Family
from modelsheet.base_models.checkpoint_weights import (
    STANDARD_DEPTHS,
    missing_weight,
    transformer_depths,
)
from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import SafetensorsHeader, TensorInfo, read_header

PredictionType = Literal["", "v_prediction"]  # "" where the file names none
UNET_PREFIX = "model.diffusion_model."
OLD_TEXT_ENCODER = "cond_stage_model.transformer."  # followed by "text_model." since 2022
_CONV_IN = f"{UNET_PREFIX}input_blocks.0.0.weight"
_SIZE_EMBEDDING = f"{UNET_PREFIX}label_emb.0.0.weight"  # SDXL conditions its UNet on the image size
_VAE = "first_stage_model.decoder.conv_in.weight"
_TEXT_ENCODERS = {
    "sd15": (OLD_TEXT_ENCODER,),
    "sdxl": ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
}
_EDM_KEYS = (
    "edm_mean",
    "edm_vpred.sigma_max",
)  # ComfyUI's marks of Playground 2.5 and CosXL
_SD2_TEXT_ENCODER = "cond_stage_model.model."
_SD2_CONTEXT = 1024  # width of SD 2's text encoder, by whatever names it is saved
_CROSS_ATTENTION = f"{UNET_PREFIX}input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
LICENCE_KEY = "modelspec.license"  # of a file's metadata
_LARGEST_YAML = 1 << 20  # bytes
_V_PREDICTION = re.compile(r"^\s*parameterization:\s*[\"']?v[\"']?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class CheckpointInfo:
    """Family and noise schedule of a checkpoint; `licence` "" where its metadata has none.

    A distilled one `is_standard` not: its UNet has other levels than its family's.
    """

    family: Family
    prediction_type: PredictionType
    has_zero_snr: bool
    licence: str
    is_standard: bool = True


def inspect_checkpoint(path: Path) -> CheckpointInfo:
    """Return a checkpoint's family and noise schedule from its header.

    Raises UnsafeModel: a pickle, damaged, or no complete SD 1.5 or SDXL model.
    """
    if path.suffix.lower() != ".safetensors":
        raise UnsafeModel(
            f"{path.name} is no .safetensors file. Files of other kinds can run programs when they "
            "are opened; get the model as .safetensors."
        )
    try:
        state = path.stat()
    except OSError as error:
        raise UnsafeModel(f"{path} cannot be read ({error.strerror}).") from None
    found = _inspect_cached(path, state.st_mtime_ns, state.st_size)
    if isinstance(found, str):
        raise UnsafeModel(found)
    return found


@functools.lru_cache(maxsize=1024)
def _inspect_cached(path: Path, modified_ns: int, size: int) -> CheckpointInfo | str:
    """Inspect a checkpoint, cached by modification time and size; a fault is a sentence."""
    try:
        header = read_header(path)
    except UnsafeModel as error:
        return str(error)
    fault = _fault(header)
    if fault:
        return f"{path.name} {fault}"
    prediction_type = header.metadata.get("modelspec.prediction_type", "")
    has_v = (
        "v_pred" in header.entries or prediction_type.lower().startswith("v") or _has_v_yaml(path)
    )
    family = _family(header.entries)
    return CheckpointInfo(
        family=family,
        prediction_type="v_prediction" if has_v else "",
        has_zero_snr="ztsnr" in header.entries,
        licence=header.metadata.get(LICENCE_KEY, ""),
        is_standard=transformer_depths(header.entries) == STANDARD_DEPTHS[family],
    )


def _fault(header: SafetensorsHeader) -> str:
    """Return why this is no usable checkpoint, to stand after the file's name, or ""."""
    entries = header.entries
    if _CONV_IN not in entries:
        if any("lora_" in key for key in entries):
            return "is a LoRA, no base model. Take it in with: modelsheet subjects import"
        return "is no checkpoint of SD 1.5 or SDXL, and no other kind can be used."
    if entries[_CONV_IN].shape[1:2] != (4,):
        return "is made for inpainting or editing. Take the ordinary version of the model."
    if _has_prefix(entries, _SD2_TEXT_ENCODER) or _context_width(entries) == _SD2_CONTEXT:
        return "is a Stable Diffusion 2. Only SD 1.5 and SDXL can be used."
    if any(key in entries for key in _EDM_KEYS):
        return (
            "was trained with another kind of noise (EDM) than SD 1.5 and SDXL. Only models of "
            "their kinds can be used."
        )
    missing = [
        prefix for prefix in _TEXT_ENCODERS[_family(entries)] if not _has_prefix(entries, prefix)
    ]
    if missing:
        return (
            "has no text encoder (or it is SDXL's refiner). Take the full version of the model, "
            "not one pruned to its UNet."
        )
    if _VAE not in entries:
        return "has no autoencoder (VAE). Take the version with the VAE baked in."
    lost = missing_weight(entries)
    if lost:
        return f"is not whole: it lacks the weight {lost}. Get the whole file again."
    return ""


def _family(entries: Mapping[str, TensorInfo]) -> Family:
    return "sdxl" if _SIZE_EMBEDDING in entries else "sd15"


def _has_prefix(entries: Mapping[str, TensorInfo], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in entries)


def _context_width(entries: Mapping[str, TensorInfo]) -> int:
    """Return the width of what the UNet's cross-attention reads, 0 where the first has none."""
    entry = entries.get(_CROSS_ATTENTION)
    return entry.shape[1] if entry is not None and len(entry.shape) > 1 else 0


def _has_v_yaml(path: Path) -> bool:
    """Tell whether the A1111 .yaml of the same name sets v-prediction."""
    settings = path.with_suffix(".yaml")
    if not settings.is_file() or settings.stat().st_size > _LARGEST_YAML:
        return False
    return _V_PREDICTION.search(settings.read_text("utf-8", errors="replace")) is not None
