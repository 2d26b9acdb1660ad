"""Say why a file cannot be taken in as a LoRA, and what can be used instead."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from modelsheet.base_models.families import FAMILY_NAMES
from modelsheet.files.safetensors_file import SafetensorsHeader
from modelsheet.lora.detection import FULL_NAMES, family_of_file, full_name
from modelsheet.lora.key_mapping import KeyLayout

# Methods by a part of their key names, from LyCORIS, peft and sd-scripts.
_METHODS = (
    (r"\.hada_", "a LoHa"),
    (r"\.lokr_", "a LoKr"),
    (r"^boft_|\.boft_", "a BOFT"),
    (r"^oft_|\.oft_|\.oft_blocks$", "an OFT"),
    (r"dora_scale|lora_magnitude_vector", "a DoRA"),
    (r"\.[ab][12]\.weight$", "a GLoRA"),
    (r"\.[wb]_norm$", "a LyCORIS that changes norms"),
    (r"\.(diff|diff_b|set_weight)$", "a full difference of weights"),
    (r"\.on_input$|\.ia3_l", "an (IA)³"),
    (r"\.lora_E\b|\.ranknum\b", "an AdaLoRA"),
    (r"\.vera_lambda", "a VeRA"),
    (r"\.hra_u", "an HRA"),
    (r"\.fourierft_spectrum", "a FourierFT"),
    (r"\.randlora_", "a RandLoRA"),
    (r"\.(bone|miss)_", "a Bone (MiSS)"),
    (r"\.delora_", "a DeLoRA"),
    (r"\.shira_weight", "a SHiRA"),
)
Keys = Collection[str]
EMBEDDING_KEYS = frozenset({"emb_params", "clip_l", "clip_g", "t5xxl"})
_EMBEDDING, _CHECKPOINT = "an embedding", "a whole model"


def refusal(header: SafetensorsHeader, layout: KeyLayout) -> str:
    """Return why a file is no LoRA for this base model, "" where nothing is known against it."""
    kind = _other_kind(header)
    if kind == _EMBEDDING:
        return (
            f"{header.name} is an embedding (textual inversion), no LoRA. Give it beside its LoRA: "
            "modelsheet subjects import LORA --embedding FILE"
        )
    if kind == _CHECKPOINT:
        return (
            f"{header.name} is a whole model, no LoRA. One of SD 1.5 or SDXL can be added as a "
            "base model: modelsheet models add FILE"
        )
    if kind:
        return f"{header.name} is {kind}, which is not used here. Name a LoRA file."
    family = family_of_file(header)
    if family is not None and family not in FULL_NAMES:
        return (
            f"{header.name} was made for {full_name(family)}, which Modelsheet cannot use. "
            f"LoRA for these can be used: {FAMILY_NAMES}."
        )
    method = _other_method(header.entries)
    if method:
        return (
            f"{header.name} is {method}, and only plain LoRA can be taken in. Look for a LoRA "
            "version of it, or extract one with kohya's tools."
        )
    return "" if family in (None, layout.family) else other_family(header.name, family, layout)


def other_family(name: str, family: str, layout: KeyLayout) -> str:
    """Return the sentence for a LoRA of a known family on a base model of another."""
    return (
        f"{name} was made for {full_name(family)}, and the base model is of "
        f"{full_name(layout.family)}. Name a base model of {full_name(family)}."
    )


def unknown_layer(header: SafetensorsHeader, layer: str) -> str:
    return (
        f"{header.name} does not fit this base model, which has no layer {layer!r}. "
        "Name the base model that it was made for. Only LoRA for these can be used: "
        f"{FAMILY_NAMES}."
    )


def unknown_key(header: SafetensorsHeader, key: str) -> str:
    return f"{header.name} is no LoRA: nothing is known of its part {key!r}. Name a LoRA file."


def _other_method(keys: Keys) -> str:
    for pattern, name in _METHODS:
        if any(re.search(pattern, key) for key in keys):
            return name
    return ""


def _other_kind(header: SafetensorsHeader) -> str:
    """Return the kind of a file that is no LoRA, or ""."""
    keys = header.entries
    for is_one, kind in _KINDS:
        if is_one(keys):
            return kind
    if _has_one_vector(header):
        return _EMBEDDING
    return ""


def _prefixes(*prefixes: str) -> Callable[[Keys], bool]:
    return lambda keys: any(key.startswith(prefixes) for key in keys)


def _plain(*prefixes: str) -> Callable[[Keys], bool]:
    """Return a test for weights of these prefixes in a file that has no LoRA's weights."""
    return lambda keys: (
        not any(re.search(r"lora|hada_|lokr_|\.alpha$|\.diff$|oft_", key) for key in keys)
        and any(key.startswith(prefixes) for key in keys)
    )


def _is_vae(keys: Keys) -> bool:
    return _plain("decoder.conv_in.", "decoder.up", "encoder.down", "encoder.conv_in.")(keys) or (
        _plain("first_stage_model.")(keys) and not _plain("model.diffusion_model.")(keys)
    )


def _has_one_vector(header: SafetensorsHeader) -> bool:
    """Tell whether the file is a textual inversion of diffusers: one tensor named by its token."""
    if len(header.entries) != 1:
        return False
    ((key, entry),) = header.entries.items()
    return 1 <= len(entry.shape) <= 2 and entry.shape[-1:] != (1,) and "." not in key


_KINDS: tuple[tuple[Callable[[Keys], bool], str], ...] = (
    (lambda keys: bool(keys) and set(keys) <= EMBEDDING_KEYS, _EMBEDDING),
    (_prefixes("string_to_param", "string_to_token"), _EMBEDDING),
    (_prefixes("ip_adapter.", "image_proj."), "an IP-Adapter"),
    (
        _prefixes(
            "control_model.", "controlnet_", "input_hint_block", "lora_controlnet", "lllite_"
        ),
        "a ControlNet",
    ),
    (_plain("adapter.body.", "body.0.in_conv"), "a T2I-Adapter"),
    (_is_vae, "an autoencoder (VAE)"),
    (
        _plain("model.diffusion_model.", "conv_in.weight", "input_blocks.0.0.", "down_blocks.0."),
        _CHECKPOINT,
    ),
    (
        _plain("double_blocks.0.", "joint_blocks.0.", "transformer_blocks.0.", "blocks.0."),
        _CHECKPOINT,
    ),
    (
        _plain("text_model.", "encoder.block.0.", "cond_stage_model.", "transformer.resblocks."),
        "a text encoder",
    ),
    (_plain("vision_model."), "an image encoder"),
)
