"""Read LoRA files of any trainer: map every weight to its layer of the base model.

A file with a weight that has no layer is refused with a sentence.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial

import numpy as np

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import Array, SafetensorsHeader, parse_header
from modelsheet.lora.bundled_embedding import BUNDLE, read_bundled_embedding
from modelsheet.lora.detection import FULL_NAMES, family_said
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.fused_layers import split_fused
from modelsheet.lora.key_mapping import DENOISERS, KeyLayout
from modelsheet.lora.layer_shapes import LayerKey, LayerShape
from modelsheet.lora.module_patterns import check_patterns, matches_module
from modelsheet.lora.refusals import other_family, refusal, unknown_key, unknown_layer

_ROLES = {
    ".lora_down.weight": "down",
    ".lora_up.weight": "up",
    ".lora_mid.weight": "mid",
    ".alpha": "alpha",
    ".lora_A.weight": "down",
    ".lora_B.weight": "up",
    ".lora_A.default.weight": "down",
    ".lora_B.default.weight": "up",
    ".lora.down.weight": "down",
    ".lora.up.weight": "up",
    ".lora_linear_layer.down.weight": "down",
    ".lora_linear_layer.up.weight": "up",
    "_lora.down.weight": "down",
    "_lora.up.weight": "up",
}
_NO_ALPHA = "The file does not say its alpha; it was taken to equal the rank, as diffusers does."
# Modelsheet's own: the identifier's embedding and the correction of the VAE decoder
EMBEDDING, _DECODER = "lora_identifier.", "lora_decoder."
# Some sliders carry numbers of their training, which no program uses.
_IGNORED = (EMBEDDING, _DECODER, BUNDLE, "_aux")
_BIASES = (".lora_B.bias", ".lora_B.default.bias")  # peft's lora_bias
_NO_BIASES = "It also changes biases (peft's lora_bias), which are left out."
_PEFT_METADATA = "lora_adapter_metadata"
_LARGEST_UPDATE = float(np.finfo(np.float16).max)  # of a weight, by the largest factors


@dataclass(frozen=True)
class LoraFile:
    """Content of a LoRA file: low-rank factors by layer, metadata, and warnings for the user.

    `embeddings` are the identifier's, one per text encoder, and `decoder` corrects a pixel-art
    base's autoencoder, both by their keys in adapter.safetensors. `bundled` is an embedding of
    another program, a vector for each text encoder.
    """

    factors: Mapping[LayerKey, LoraFactors]
    metadata: Mapping[str, str]
    embeddings: Mapping[str, Array]
    decoder: Mapping[str, Array]
    warnings: list[str] = field(default_factory=list)
    bundled: Sequence[Array] = ()


def read_lora(content: bytes, layout: KeyLayout, name: str) -> LoraFile:
    """Read a LoRA file for the base model of this key layout.

    Raises UnsafeModel: damaged, no plain LoRA, not for this base model, or NaN.
    """
    header = parse_header(content, name)
    layers = _group_keys(header, layout)
    if not layers:
        raise UnsafeModel(f"{name} holds no weights. Get it again.")
    peft = _peft_configs(header, layout.denoiser)
    factors = {
        layer_key: _read_factors(
            keys, header, content, layout.shapes[layer_key], _LayerScale(peft, layer_key)
        )
        for layer_key, keys in layers.items()
    }
    if not any(each.up.any() and each.down.any() for each in factors.values()):
        raise UnsafeModel(f"{name} changes nothing: all its weights are zero. Get it again.")
    embeddings, decoder = (
        _tensors_with_prefix(header, content, prefix) for prefix in (EMBEDDING, _DECODER)
    )
    return LoraFile(
        split_fused(factors, layout),
        header.metadata,
        embeddings,
        decoder,
        _warnings(header, layers, bool(peft)),
        read_bundled_embedding(header, content, layout),
    )


def _warnings(
    header: SafetensorsHeader, layers: Mapping[LayerKey, Mapping[str, str]], has_settings: bool
) -> list[str]:
    has_alpha = has_settings or any("alpha" in keys for keys in layers.values())
    has_biases = any(key.endswith(_BIASES) for key in header.entries)
    return [_NO_ALPHA] * (not has_alpha) + [_NO_BIASES] * has_biases


def _tensors_with_prefix(
    header: SafetensorsHeader, content: bytes, prefix: str
) -> dict[str, Array]:
    return {key: header.tensor(content, key) for key in header.entries if key.startswith(prefix)}


def _group_keys(header: SafetensorsHeader, layout: KeyLayout) -> dict[LayerKey, dict[str, str]]:
    """Group the file's keys by layer and role. Raises UnsafeModel: a key belongs to no layer."""
    layers: dict[LayerKey, dict[str, str]] = {}
    find_refusal = cache(partial(refusal, header, layout))  # it looks through all keys
    for name, roles in _roles_by_name(header, layout).items():
        down = header.entries[roles["down"]].shape if "down" in roles else ()
        width = down[1] if len(down) > 1 else 0
        layer_key = layout.find(name, width)
        is_known = layer_key is not None and width in (0, layout.shapes[layer_key].columns)
        why_not = "" if is_known else find_refusal()
        if layer_key is None or why_not:
            raise UnsafeModel(why_not or unknown_layer(header, name))
        if layer_key in layers:
            raise UnsafeModel(_twice(header, name))
        layers[layer_key] = roles
    if not any(layer_key.component in DENOISERS for layer_key in layers):
        _check_text_family(header, layout)
    return layers


def _roles_by_name(header: SafetensorsHeader, layout: KeyLayout) -> dict[str, dict[str, str]]:
    """Group the keys by their layers' names and their roles."""
    names: dict[str, dict[str, str]] = {}
    for key in header.entries:
        if key.startswith(_IGNORED) or key.endswith(_BIASES):
            continue
        ending = next((ending for ending in _ROLES if key.endswith(ending)), None)
        if ending is None:
            raise UnsafeModel(refusal(header, layout) or unknown_key(header, key))
        name = key.removesuffix(ending)
        roles = names.setdefault(name, {})
        if _ROLES[ending] in roles:
            raise UnsafeModel(_twice(header, name))
        roles[_ROLES[ending]] = key
    return names


def _check_text_family(header: SafetensorsHeader, layout: KeyLayout) -> None:
    """Check a LoRA of text encoders alone by what it says: SD 1.5 and SDXL share the first one.

    Raises UnsafeModel: it was made for another family.
    """
    names_first_alone = any(key.startswith("lora_te_") for key in header.entries)
    family = family_said(header) or ("sd15" if names_first_alone else None)
    if family == layout.family or (family == "sd15" and layout.family == "sprite32"):
        return
    if family in FULL_NAMES:
        raise UnsafeModel(other_family(header.name, str(family), layout))
    if family is not None:
        raise UnsafeModel(refusal(header, layout) or unknown_layer(header, ""))


def _twice(header: SafetensorsHeader, name: str) -> str:
    return f"{header.name} holds two LoRA for one layer ({name}). Save it as one, or get another."


class _LayerScale:
    """The scale of one layer: alpha / rank, or alpha / √rank for rsLoRA."""

    def __init__(self, peft: Mapping[str, Mapping[str, object]], layer_key: LayerKey) -> None:
        self._config = peft.get(layer_key.component, {})
        self._path = layer_key.path

    def scale(self, rank: int, alpha: float | None) -> float:
        if alpha is None:
            alpha = self._config_alpha()
        if not alpha:  # as kohya does: a missing or zero alpha means the rank
            return 1.0
        return alpha / (rank**0.5 if self._config.get("use_rslora") else rank)

    def _config_alpha(self) -> float | None:
        patterns = self._config.get("alpha_pattern") or {}
        found = self._config.get("lora_alpha")
        if isinstance(patterns, dict):
            for pattern, alpha in patterns.items():
                if matches_module(pattern, self._path):
                    found = alpha
                    break
        try:
            return float(found) if isinstance(found, int | float) else None
        except OverflowError:  # a whole number of 400 digits
            return math.inf


def _read_factors(
    keys: Mapping[str, str],
    header: SafetensorsHeader,
    content: bytes,
    shape: LayerShape,
    alpha: _LayerScale,
) -> LoraFactors:
    if "up" not in keys or "down" not in keys:
        have = next(iter(keys.values()))
        raise UnsafeModel(f"{header.name} is not whole: {have!r} has no counterpart. Get it again.")
    tensors = {
        role: header.tensor(content, key, allow_integers=role == "alpha")
        for role, key in keys.items()
    }
    if "alpha" in tensors and tensors["alpha"].size != 1:
        raise UnsafeModel(
            f"{header.name} is damaged: {keys['alpha']!r} is no single number. Get it again."
        )
    down = _merge_middle(tensors, shape)
    up, down = _as_matrices(tensors["up"], down, shape, keys["up"], header)
    alpha_value = float(tensors["alpha"].item()) if "alpha" in tensors else None
    scale = alpha.scale(down.shape[0], alpha_value)
    largest = scale * float(np.abs(up).max()) * float(np.abs(down).max()) * down.shape[0]
    if not abs(largest) <= _LARGEST_UPDATE:  # NaN is not
        raise UnsafeModel(
            f"{header.name} is damaged: with its alpha, {keys['up']!r} changes the model without "
            "bounds. Get it again."
        )
    return LoraFactors((up * scale).astype(np.float32), down)


def _merge_middle(tensors: Mapping[str, Array], shape: LayerShape) -> Array:
    """Merge LyCORIS' middle factor of a convolution, where there is one, into `down`.

    Returns an array of rank 0, which is refused, where they do not fit: the product of two small
    arrays can be huge.
    """
    down = tensors["down"]
    if "mid" not in tensors:
        return down
    mid = tensors["mid"].shape
    is_convolution = len(mid) == down.ndim == 4 and mid[:2] == (down.shape[0],) * 2
    if not is_convolution or down.shape[1] * mid[2] * mid[3] != shape.fan_in:
        return down.reshape(-1)[:0]
    merged: Array = np.einsum("orkl,rc->ockl", tensors["mid"], down[:, :, 0, 0])
    return merged.astype(np.float32)


def _as_matrices(
    up: Array, down: Array, shape: LayerShape, key: str, header: SafetensorsHeader
) -> tuple[Array, Array]:
    """Return `up` and `down` as matrices.

    Raises UnsafeModel: they do not fit the layer's shape.
    """
    rank = down.shape[0] if down.ndim else 0
    fits = rank > 0 and down.size == rank * shape.fan_in and up.shape[:2] == (shape.rows, rank)
    if not fits or up.size != shape.rows * rank:
        raise UnsafeModel(
            f"{header.name} does not fit this base model: {key!r} has the shape "
            f"{list(up.shape)} · {list(down.shape)} where the layer is {shape.rows} x "
            f"{shape.fan_in}. Name the base model that it was made for."
        )
    return up.reshape(shape.rows, rank), down.reshape(rank, shape.fan_in)


def _peft_configs(header: SafetensorsHeader, denoiser: str) -> dict[str, dict[str, object]]:
    """Return peft's adapter configs by component, where the file has them."""
    try:
        metadata = json.loads(header.metadata.get(_PEFT_METADATA, "{}"))
        configs: dict[str, dict[str, object]] = {}
        for key, value in metadata.items():
            component, _, setting = re.sub(
                r"^(?!unet\.|transformer\.|text_encoder)", f"{denoiser}.", key
            ).partition(".")
            configs.setdefault(component, {})[setting] = value
            if setting == "alpha_pattern" and isinstance(value, dict):
                check_patterns(value)
    except (ValueError, AttributeError, RecursionError):
        raise UnsafeModel(f"{header.name} has damaged metadata. Get it again.") from None
    return configs
