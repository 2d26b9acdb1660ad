"""Reading a LoRA file of any origin: every weight finds its layer of the base model, or the file is
refused in a sentence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import Array, SafetensorsHeader, parse_header
from modelsheet.lora.detection import family_of_file, full_name, unsupported_method
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout
from modelsheet.lora.layer_shapes import LayerKey, LayerShape

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
# Modelsheet's own: an embedding learnt with the adapter, and the subject's decoder
_ROW, _DECODER = "lora_identifier.", "lora_decoder."
_PEFT_METADATA = "lora_adapter_metadata"


@dataclass(frozen=True)
class LoraFile:
    """What a file changes, layer by layer; `metadata` and `warnings` for the artist. `rows` are the
    identifier's own embeddings, one a text encoder, and `decoder` what corrects a pixel-art base's
    autoencoder, both by their keys in adapter.safetensors.
    """

    factors: Mapping[LayerKey, LoraFactors]
    metadata: Mapping[str, str]
    rows: Mapping[str, Array]
    decoder: Mapping[str, Array]
    warnings: list[str] = field(default_factory=list)


def read_lora(content: bytes, layout: KeyLayout, name: str) -> LoraFile:
    """Read a LoRA for the base model of this layout.

    Raises UnsafeModel: no whole safetensors file, no plain LoRA, not for this base model, or NaN.
    """
    header = parse_header(content, name)
    layers = _grouped(header, layout)
    if not layers:
        raise UnsafeModel(f"{name} holds no weights. Get it again.")
    peft = _peft_configs(header)
    factors = {
        site: _factors(keys, header, content, layout.sites[site], _Alpha(peft, site))
        for site, keys in layers.items()
    }
    if not any(each.up.any() and each.down.any() for each in factors.values()):
        raise UnsafeModel(f"{name} changes nothing: all its weights are zero. Get it again.")
    rows, decoder = (_beside(header, content, kind) for kind in (_ROW, _DECODER))
    says_alpha = bool(peft) or any("alpha" in keys for keys in layers.values())
    return LoraFile(factors, header.metadata, rows, decoder, [] if says_alpha else [_NO_ALPHA])


def _beside(header: SafetensorsHeader, content: bytes, kind: str) -> dict[str, Array]:
    return {key: header.tensor(content, key) for key in header.entries if key.startswith(kind)}


def _grouped(header: SafetensorsHeader, layout: KeyLayout) -> dict[LayerKey, dict[str, str]]:
    """The file's keys by layer and role. Raises UnsafeModel at the first that has no place."""
    layers: dict[LayerKey, dict[str, str]] = {}
    for key in header.entries:
        if key.startswith((_ROW, _DECODER)):
            continue
        ending = next((ending for ending in _ROLES if key.endswith(ending)), None)
        if ending is None:
            raise UnsafeModel(_strange(key, header))
        layer = key.removesuffix(ending)
        site = layout.find(layer)
        if site is None:
            raise UnsafeModel(_misplaced(layer, header, layout))
        roles = layers.setdefault(site, {})
        if _ROLES[ending] in roles:
            raise UnsafeModel(
                f"{header.name} holds two LoRA for one layer ({layer}). Save it as one, or get "
                "another."
            )
        roles[_ROLES[ending]] = key
    return layers


def _strange(key: str, header: SafetensorsHeader) -> str:
    method = unsupported_method(key)
    if method:
        return (
            f"{header.name} is {method}, and only plain LoRA can be taken in. Look for a LoRA "
            "version of it, or extract one with kohya's tools."
        )
    return f"{header.name} is no LoRA: nothing is known of its part {key!r}. Name a LoRA file."


def _misplaced(layer: str, header: SafetensorsHeader, layout: KeyLayout) -> str:
    family = family_of_file(header)
    if family is not None and family != layout.family:
        return (
            f"{header.name} was made for {full_name(family)}, but the base model named is a "
            f"{full_name(layout.family)}. Name a base model of {full_name(family)}."
        )
    return (
        f"{header.name} does not fit this base model, which has no layer {layer!r}. "
        "Name the base model that it was made for."
    )


class _Alpha:
    """The scale of one layer: alpha / rank, or alpha / √rank where the file says so."""

    def __init__(self, peft: Mapping[str, Mapping[str, object]], site: LayerKey) -> None:
        self._config = peft.get(site.component, {})
        self._path = site.path

    def scale(self, rank: int, alpha: float | None) -> float:
        if alpha is None:
            alpha = self._said()
        if not alpha:  # kohya, too, takes none and zero to mean the rank
            return 1.0
        return alpha / (rank**0.5 if self._config.get("use_rslora") else rank)

    def _said(self) -> float | None:
        patterns = self._config.get("alpha_pattern") or {}
        found = self._config.get("lora_alpha")
        if isinstance(patterns, dict):
            for pattern, alpha in patterns.items():
                ending = pattern.removeprefix("text_model.")
                if self._path == ending or self._path.endswith(f".{ending}"):
                    found = alpha
        return float(found) if isinstance(found, int | float) else None


def _factors(
    keys: Mapping[str, str],
    header: SafetensorsHeader,
    content: bytes,
    weight: LayerShape,
    alpha: _Alpha,
) -> LoraFactors:
    if "up" not in keys or "down" not in keys:
        have = next(iter(keys.values()))
        raise UnsafeModel(f"{header.name} is not whole: {have!r} has no counterpart. Get it again.")
    tensors = {role: header.tensor(content, key) for role, key in keys.items()}
    if "alpha" in tensors and tensors["alpha"].size != 1:
        raise UnsafeModel(
            f"{header.name} is damaged: {keys['alpha']!r} is no single number. Get it again."
        )
    down = _through_middle(tensors)
    up, down = _as_matrices(tensors["up"], down, weight, keys["up"], header)
    said = float(tensors["alpha"].item()) if "alpha" in tensors else None
    return LoraFactors((up * alpha.scale(down.shape[0], said)).astype(np.float32), down)


def _through_middle(tensors: Mapping[str, Array]) -> Array:
    """LyCORIS may split a convolution in three: across, within, across; the first two are one."""
    down = tensors["down"]
    if "mid" not in tensors:
        return down
    if tensors["mid"].ndim != 4 or down.ndim != 4 or tensors["mid"].shape[1] != down.shape[0]:
        return down[:0]  # of no rank, which is refused
    whole: Array = np.einsum("orkl,rc->ockl", tensors["mid"], down[:, :, 0, 0])
    return whole.astype(np.float32)


def _as_matrices(
    up: Array, down: Array, weight: LayerShape, key: str, header: SafetensorsHeader
) -> tuple[Array, Array]:
    """Raises UnsafeModel: the widths are another network's."""
    rank = down.shape[0] if down.ndim else 0
    fits = rank > 0 and down.size == rank * weight.fan_in and up.shape[:2] == (weight.rows, rank)
    if not fits or up.size != weight.rows * rank:
        family = family_of_file(header)
        made_for = f" It was made for {full_name(family)}." if family else ""
        raise UnsafeModel(
            f"{header.name} does not fit this base model: {key!r} has the shape "
            f"{list(up.shape)} · {list(down.shape)} where the layer is {weight.rows} x "
            f"{weight.fan_in}.{made_for}"
        )
    return up.reshape(weight.rows, rank), down.reshape(rank, weight.fan_in)


def _peft_configs(header: SafetensorsHeader) -> dict[str, dict[str, object]]:
    """peft's own settings by component, where the file carries them."""
    try:
        said = json.loads(header.metadata.get(_PEFT_METADATA, "{}"))
        configs: dict[str, dict[str, object]] = {}
        for key, value in said.items():
            component, _, setting = re.sub(r"^(?!unet\.|text_encoder)", "unet.", key).partition(".")
            configs.setdefault(component, {})[setting] = value
    except (ValueError, AttributeError, RecursionError):
        raise UnsafeModel(f"{header.name} has damaged metadata. Get it again.") from None
    return configs
