"""Detect the model family that a LoRA file was made for, and methods that are not plain LoRA."""

from __future__ import annotations

import re

from modelsheet.api.types import Family
from modelsheet.files.safetensors_file import SafetensorsHeader

DetectedFamily = Family | str  # "SD 2", "Flux": families that Modelsheet does not run
_METHOD_NAMES = {
    "hada_": "a LoHa",
    "lokr_": "a LoKr",
    "oft_": "an OFT",
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "a1.weight": "a GLoRA",
    "diff": "a full difference of weights",
    "diff_b": "a full difference of weights",
    "w_norm": "a LyCORIS that changes norms",
    "bundle_emb": "a LoRA bundled with an embedding",
    "on_input": "an (IA)³",
}
_FULL_NAMES = {"sd15": "SD 1.5", "sdxl": "SDXL", "sprite32": "sprite32"}
# By the width of the UNet's cross-attention context, which is that of its text encoders: 768 for
# CLIP-L, 1024 for OpenCLIP-H, 2048 for CLIP-L and bigG.
_BY_CONTEXT: dict[int, DetectedFamily] = {768: "sd15", 1024: "SD 2", 2048: "sdxl"}
_OTHER_FAMILIES = {
    "double_blocks": "Flux",
    "single_transformer_blocks": "Flux",
    "joint_blocks": "SD 3",
    "transformer.transformer_blocks": "SD 3 or Flux",
    "diffusion_model.layers": "Lumina or Z-Image",
    "diffusion_model.blocks": "Wan",
}


def full_name(family: DetectedFamily) -> str:
    """Return the family's name as users know it."""
    return _FULL_NAMES.get(family, family)


def unsupported_method(key: str) -> str:
    """Return the name of the non-LoRA method that a key belongs to, "" for a plain LoRA."""
    endings = key.split(".", 1)[-1]
    return next((name for mark, name in _METHOD_NAMES.items() if _matches(endings, mark, key)), "")


def _matches(ending: str, mark: str, key: str) -> bool:
    return ending == mark or ending.startswith(mark) or key.startswith(mark) or f".{mark}" in key


def family_of_file(header: SafetensorsHeader) -> DetectedFamily | None:
    """Detect a LoRA file's family by its cross-attention width, else by its key names."""
    for key, entry in header.entries.items():
        if re.search(r"attn2[._](processor\.)?to_k[._].*(down|lora_A)", key) and len(entry.shape):
            width = entry.shape[1] if len(entry.shape) > 1 else 0
            if width in _BY_CONTEXT:
                return _BY_CONTEXT[width]
    for key in header.entries:
        if key.startswith(("lora_te2_", "lora_te1_", "text_encoder_2.")):
            return "sdxl"
        for mark, name in _OTHER_FAMILIES.items():
            if mark in key:
                return name
    return _by_metadata(header.metadata.get("ss_base_model_version", ""))


def _by_metadata(version: str) -> DetectedFamily | None:
    if version.startswith("sdxl"):
        return "sdxl"
    return "sd15" if version in ("sd_v1", "sd_1.5") else None
