"""Checkpoints of A1111 and ComfyUI, the whole model in one .safetensors file: what one holds, by
its header. No torch.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from modelsheet.api.types import Family
from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import SafetensorsHeader, TensorInfo, read_header

PredictionType = Literal["", "v_prediction"]  # a file says nothing, or that
UNET_PREFIX = "model.diffusion_model."
_FIRST = f"{UNET_PREFIX}input_blocks.0.0.weight"
_SIZES = f"{UNET_PREFIX}label_emb.0.0.weight"  # SDXL tells its UNet the picture's size
_VAE = "first_stage_model.decoder.conv_in.weight"
_TEXT = {
    "sd15": ("cond_stage_model.transformer.",),
    "sdxl": ("conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."),
}
_OTHER_NOISE = (
    "edm_mean",
    "edm_vpred.sigma_max",
)  # Playground 2.5 and CosXL, as ComfyUI tells them
_SD2 = "cond_stage_model.model."
_V_PREDICTION = re.compile(r"^\s*parameterization:\s*[\"']?v[\"']?\s*$", re.MULTILINE)


@dataclass(frozen=True)
class CheckpointInfo:
    """What a file holds; `licence` "" where it does not say."""

    family: Family
    prediction_type: PredictionType
    has_zero_snr: bool
    licence: str


def inspect_checkpoint(path: Path) -> CheckpointInfo:
    """Tell family and kind of a checkpoint.

    Raises UnsafeModel: a pickle, damaged, or no whole SD 1.5 or SDXL model.
    """
    if path.suffix != ".safetensors":
        raise UnsafeModel(
            f"{path.name} is no .safetensors file. Files of other kinds can run programs when they "
            "are opened; get the model as .safetensors."
        )
    try:
        state = path.stat()
    except OSError as error:
        raise UnsafeModel(f"{path} cannot be read ({error.strerror}).") from None
    found = _inspected(path, state.st_mtime_ns, state.st_size)
    if isinstance(found, str):
        raise UnsafeModel(found)
    return found


@functools.lru_cache(maxsize=1024)
def _inspected(path: Path, changed_ns: int, size: int) -> CheckpointInfo | str:
    """Read a header once for each state of the file; a fault is its sentence."""
    try:
        header = read_header(path)
    except UnsafeModel as error:
        return str(error)
    fault = _fault(header)
    if fault:
        return f"{path.name} {fault}"
    said = header.metadata.get("modelspec.prediction_type", "")
    has_v = "v_pred" in header.entries or said.lower().startswith("v") or _says_v(path)
    return CheckpointInfo(
        family=_family(header.entries),
        prediction_type="v_prediction" if has_v else "",
        has_zero_snr="ztsnr" in header.entries,
        licence=header.metadata.get("modelspec.license", ""),
    )


def _fault(header: SafetensorsHeader) -> str:
    entries = header.entries
    if _FIRST not in entries:
        if any("lora_" in key for key in entries):
            return "is a LoRA, no base model. Take it in with: modelsheet subjects import"
        return "is no checkpoint of SD 1.5 or SDXL, and no other kind can be used."
    if entries[_FIRST].shape[1:2] != (4,):
        return "is made for inpainting or editing. Take the ordinary version of the model."
    if _holds(entries, _SD2):
        return "is a Stable Diffusion 2. Only SD 1.5 and SDXL can be used."
    if any(key in entries for key in _OTHER_NOISE):
        return (
            "was trained with another kind of noise (EDM) than SD 1.5 and SDXL. Only models of "
            "their kinds can be used."
        )
    missing = [prefix for prefix in _TEXT[_family(entries)] if not _holds(entries, prefix)]
    if missing:
        return (
            "has no text encoder (or it is SDXL's refiner). Take the full version of the model, "
            "not one pruned to its UNet."
        )
    if _VAE not in entries:
        return "has no autoencoder (VAE). Take the version with the VAE baked in."
    return ""


def _family(entries: Mapping[str, TensorInfo]) -> Family:
    return "sdxl" if _SIZES in entries else "sd15"


def _holds(entries: Mapping[str, TensorInfo], prefix: str) -> bool:
    return any(key.startswith(prefix) for key in entries)


def _says_v(path: Path) -> bool:
    """A1111 keeps a model's settings beside it, under its name."""
    settings = path.with_suffix(".yaml")
    if not settings.is_file():
        return False
    return _V_PREDICTION.search(settings.read_text("utf-8", errors="replace")) is not None
