"""Write a LoRA as adapter.safetensors, with the key names that diffusers loads."""

from __future__ import annotations

from collections.abc import Mapping

from modelsheet.files.safetensors_file import Array, encode_safetensors
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout, diffusers_name
from modelsheet.lora.layer_shapes import LayerKey


def write_diffusers(
    factors: Mapping[LayerKey, LoraFactors],
    layout: KeyLayout,
    extra: Mapping[str, Array],
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return the file's bytes, fp32, with the tensors of `extra` and the metadata added unchanged.

    All layers of a component are padded to one rank, so that no version of diffusers need guess an
    alpha: without one it is the rank.
    """
    ranks: dict[str, int] = {}
    for key, each in factors.items():
        ranks[key.component] = max(ranks.get(key.component, 0), each.rank)
    tensors = dict(extra)
    for key, each in factors.items():
        padded, shape = each.padded(ranks[key.component]), layout.shapes[key]
        name = diffusers_name(key)
        tensors[f"{name}.lora_A.weight"] = padded.down_of(shape.kernel, shape.columns)
        tensors[f"{name}.lora_B.weight"] = padded.up_of(shape.kernel)
    return encode_safetensors(tensors, {**(metadata or {}), "format": "pt"})
