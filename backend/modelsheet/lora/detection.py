"""What a LoRA file shows of where it comes from: the family it was made for, and methods that are
not plain LoRA.
"""

from __future__ import annotations

import re

from modelsheet.api.types import Family
from modelsheet.files.safetensors_file import SafetensorsHeader

DetectedFamily = (
    Family | str
)  # families that Modelsheet does not run are named by what artists call them
_METHODS = {
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
# The text that a UNet reads is as wide as its text encoders: 768 CLIP-L, 1024 OpenCLIP-H, both L
# and bigG 2048.
_BY_CONTEXT: dict[int, DetectedFamily] = {768: "sd15", 1024: "SD 2", 2048: "sdxl"}
_OTHERS = {
    "double_blocks": "Flux",
    "single_transformer_blocks": "Flux",
    "joint_blocks": "SD 3",
    "transformer.transformer_blocks": "SD 3 or Flux",
    "diffusion_model.layers": "Lumina or Z-Image",
    "diffusion_model.blocks": "Wan",
}


def full_name(family: DetectedFamily) -> str:
    return _FULL_NAMES.get(family, family)


def unsupported_method(key: str) -> str:
    """Name the method that a key belongs to, "" for none that is known."""
    endings = key.split(".", 1)[-1]
    return next((name for mark, name in _METHODS.items() if _has(endings, mark, key)), "")


def _has(ending: str, mark: str, key: str) -> bool:
    return ending == mark or ending.startswith(mark) or key.startswith(mark) or f".{mark}" in key


def family_of_file(header: SafetensorsHeader) -> DetectedFamily | None:
    """Tell what a LoRA was made for: by the width of the text it reads, else by its names."""
    for key, entry in header.entries.items():
        if re.search(r"attn2[._](processor\.)?to_k[._].*(down|lora_A)", key) and len(entry.shape):
            width = entry.shape[1] if len(entry.shape) > 1 else 0
            if width in _BY_CONTEXT:
                return _BY_CONTEXT[width]
    for key in header.entries:
        if key.startswith(("lora_te2_", "lora_te1_", "text_encoder_2.")):
            return "sdxl"
        for mark, name in _OTHERS.items():
            if mark in key:
                return name
    return _by_metadata(header.metadata.get("ss_base_model_version", ""))


def _by_metadata(version: str) -> DetectedFamily | None:
    if version.startswith("sdxl"):
        return "sdxl"
    return "sd15" if version in ("sd_v1", "sd_1.5") else None
