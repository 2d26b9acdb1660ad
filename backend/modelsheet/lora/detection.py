"""Detect the model family that a LoRA file was made for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES
from modelsheet.files.safetensors_file import SafetensorsHeader

DetectedFamily = Family | str  # "SD 2", "Flux": families that Modelsheet does not run
FULL_NAMES: dict[Family, str] = {family: facts.name for family, facts in FAMILIES.items()}
_LONGEST_NAME = 40
_LONGEST_SAID = 200  # characters of metadata

# By the width of the UNet's cross-attention context, which is that of its text encoders: 768 for
# CLIP-L, 1024 for OpenCLIP-H, 1280 for bigG alone, 2048 for CLIP-L and bigG.
_BY_CONTEXT: dict[int, DetectedFamily] = {
    768: "sd15",
    1024: "SD 2",
    1280: "SDXL's refiner",
    2048: "sdxl",
}
_CONTEXT = re.compile(
    r"(down_|up_|mid_|input_|output_|middle_)blocks?[._].*attn2[._](processor\.)?to_k[._].*"
    r"(down|lora_A)"
)
# What sd-scripts, musubi-tuner, OneTrainer, ai-toolkit and others write as ss_base_model_version
# or modelspec.architecture. The first that is found counts.
_BY_METADATA: tuple[tuple[str, DetectedFamily], ...] = (
    (r"sprite32", "sprite32"),
    (r"animatediff|motion", "AnimateDiff"),
    (r"refiner", "SDXL's refiner"),
    (r"kolors", "Kolors"),
    (r"flux[-_. ]?2|klein", "flux2-klein"),
    (r"krea[-_. ]?2", "Krea 2"),
    (r"flux|krea", "Flux"),
    (r"cascade|wuerstchen", "Stable Cascade"),
    (r"svd|stable[-_ ]video", "Stable Video Diffusion"),
    (r"sdxl|stable-diffusion-xl|\bxl\b|pony|illustrious|noob", "sdxl"),
    (r"(stable-diffusion-|\bsd)[-_ ]?v?3", "SD 3"),
    (r"(stable-diffusion-|\bsd)[-_ ]?v?2", "SD 2"),
    (r"(stable-diffusion-|\bsd)[-_ ]?v?1", "sd15"),
    (r"hunyuan[-_ ]?image", "HunyuanImage"),
    (r"hunyuan[-_ ]?dit", "HunyuanDiT"),
    (r"hunyuan|framepack", "HunyuanVideo"),
    (r"qwen", "Qwen-Image"),
    (r"z[-_ ]?image", "Z-Image"),
    (r"\bwan", "Wan"),
    (r"lumina", "Lumina"),
    (r"hi-?dream", "HiDream"),
    (r"pixart", "PixArt"),
    (r"aura", "AuraFlow"),
    (r"chroma", "Chroma"),
    (r"ltx", "LTX"),
    (r"\bsana", "Sana"),
    (r"kandinsky", "Kandinsky"),
    (r"cosmos", "Cosmos"),
    (r"\banima\b", "Anima"),
    (r"mochi", "Mochi"),
    (r"cogvideo", "CogVideoX"),
    (r"omnigen", "OmniGen"),
)
# Beginnings of the denoiser's key names, that all trainers put before the layers' own names.
_PREFIX = re.compile(
    r"^(base_model\.model\.|model\.diffusion_model\.|diffusion_model\.|transformer\.|unet\.|prior\."
    r"|lora_unet_+|lora_prior_unet_|lora_prior_|lora_transformer_|lora_dit_|lycoris_)+"
)
# By key names without that beginning, and with "_" for ".". The first that is found counts.
_BY_LAYER: tuple[tuple[str, DetectedFamily], ...] = (
    (r".*(motion_modules|temporal_transformer_(?!blocks))", "AnimateDiff"),
    (r".*temporal_transformer_blocks", "Stable Video Diffusion"),
    (r"(down|up)_blocks_\d+_\d+_(attention|channelwise|kv_mapper)", "Stable Cascade"),
    (r"distilled_guidance_layer", "Chroma"),
    (r"(double|single)_stream_blocks_\d+_block", "HiDream"),
    (r"(double_stream_modulation|.*to_qkv_mlp_proj)", "flux2-klein"),
    (r"(joint_transformer_blocks|(double|single)_layers_\d+_attn)", "AuraFlow"),
    (r"(visual|text)_transformer_blocks", "Kandinsky"),
    (r".*(individual_token_refiner|img_mlp_fc\d|context_embedder_token)", "HunyuanVideo"),
    (r"joint_blocks", "SD 3"),
    (r"(double_blocks|single_blocks|single_transformer_blocks)_\d", "Flux"),
    (r"transformer_blocks_\d+_(img|txt)_m(od|lp)", "Qwen-Image"),
    (r"transformer_blocks_(19|[2-9]\d)_attn_", "Qwen-Image"),
    (r"(layers|noise_refiner|context_refiner)_\d+_attention_to_", "Z-Image"),
    (r"(layers|noise_refiner|context_refiner)_\d+_(attention|attn|feed_forward)_", "Lumina"),
    (r"(llm_adapter|blocks_\d+_(self|cross)_attn_[qkv]_proj)", "Anima"),
    (r"blocks_\d+_(attn_qkv|cross_attn_(q|kv)_linear)", "PixArt"),
    (r"blocks_\d+_(self_attn|cross_attn|attn1|attn2|ffn)_", "Wan"),
)
# Families with equal names differ in the width of their attention, the fan-in of "to_q" or "to_k".
_BY_WIDTH: tuple[tuple[str, dict[int, DetectedFamily], DetectedFamily], ...] = (
    (
        r"transformer_blocks_\d+_attn1_to_(q|k)_",
        {1152: "PixArt", 1920: "CogVideoX", 3072: "CogVideoX", 2240: "Sana"},
        "LTX",
    ),
    (
        r"transformer_blocks_\d+_attn_(to|add)_(q|k)_",
        {1536: "SD 3", 2432: "SD 3"},
        "Qwen-Image or Flux",
    ),
    (r"layers_\d+_attention_(qkv|out)_", {3840: "Z-Image"}, "Lumina"),
)
# Layers of one of those families alone.
_TELLING = re.compile(
    r"single_transformer_blocks|(img|txt)_m(od|lp)|transformer_blocks_(19|[2-9]\d)_attn_"
)
_T5 = re.compile(r"SelfAttention|DenseReluDense")  # T5's layers
_OPEN_CLIP_H = 1024  # width of SD 2's text encoder
_TEXT_LAYER = re.compile(
    r"^(lora_te_|text_encoder\.).*(q_proj|k_proj|v_proj)\.(lora_)?(lora\.|linear_layer\.)?(down|A)"
)


def full_name(family: DetectedFamily) -> str:
    """Return the family's name as users know it."""
    return next((name for known, name in FULL_NAMES.items() if known == family), family)


def family_of_file(header: SafetensorsHeader) -> DetectedFamily | None:
    """Detect a LoRA file's family: by its UNet's context, else what it says, else its key names."""
    return (
        _by_context(header)
        or _by_names(header, only="AnimateDiff")
        or family_said(header)
        or _by_width(header)
        or _by_names(header)
        or _by_text_encoders(header)
        or _unknown_family_said(header)
    )


def family_said(header: SafetensorsHeader) -> DetectedFamily | None:
    """Return the family that the metadata names, None where it names none that is known."""
    for said in _said(header):
        for pattern, family in _BY_METADATA:
            if re.search(pattern, said, re.IGNORECASE):
                return family
    return None


def _said(header: SafetensorsHeader) -> Iterator[str]:
    for key in ("ss_base_model_version", "modelspec.architecture"):
        # "_" counts as a letter in a pattern's \b.
        said = (
            header.metadata.get(key, "")[:_LONGEST_SAID].partition("/")[0].strip().replace("_", " ")
        )
        if said:
            yield said


def _unknown_family_said(header: SafetensorsHeader) -> str | None:
    said = next(_said(header), "")
    return said if said.isprintable() and 0 < len(said) <= _LONGEST_NAME else None


def _by_context(header: SafetensorsHeader) -> DetectedFamily | None:
    for key, entry in header.entries.items():
        if len(entry.shape) > 1 and _CONTEXT.search(key) and entry.shape[1] in _BY_CONTEXT:
            return _BY_CONTEXT[entry.shape[1]]
    return None


def _by_names(header: SafetensorsHeader, only: str = "") -> DetectedFamily | None:
    names = {_layer_name(key) for key in header.entries}
    for pattern, family in _BY_LAYER:
        if only in ("", family) and any(re.match(pattern, name) for name in names):
            return family
    return None


def _by_width(header: SafetensorsHeader) -> DetectedFamily | None:
    """Detect the family by the width of attention layers whose names several families share."""
    if any(_TELLING.search(_layer_name(key)) for key in header.entries):
        return None
    for key, entry in header.entries.items():
        name = _layer_name(key)
        for pattern, widths, otherwise in _BY_WIDTH:
            if len(entry.shape) == 2 and re.match(pattern, name) and re.search(r"down|_A_", name):
                return widths.get(entry.shape[1], _qwen_by_prefix(key, otherwise))
    return None


def _qwen_by_prefix(key: str, family: DetectedFamily) -> DetectedFamily:
    """Tell Qwen-Image from Flux, whose layers have these names in diffusers' format alone."""
    if family == "Qwen-Image or Flux" and not key.startswith(("transformer.", "lora_transformer_")):
        return "Qwen-Image"
    return family


def _layer_name(key: str) -> str:
    return _PREFIX.sub("", key).replace(".", "_")


def _by_text_encoders(header: SafetensorsHeader) -> DetectedFamily | None:
    for key, entry in header.entries.items():
        if key.startswith("lora_te3_") or _T5.search(key):
            return "SD 3 or Flux"
        if _TEXT_LAYER.search(key) and entry.shape[1:2] == (_OPEN_CLIP_H,):
            return "SD 2"
    if any(key.startswith(("lora_te2_", "text_encoder_2.")) for key in header.entries):
        return "sdxl"
    if any(key.startswith("lora_te_") for key in header.entries):
        return "sd15"  # kohya's name where there is one text encoder
    return None
