"""Writing a LoRA as adapter.safetensors, in the names that diffusers loads. No torch."""

from __future__ import annotations

from collections.abc import Mapping

from modelsheet.files.safetensors_file import Array, encode_safetensors
from modelsheet.lora.factors import LoraFactors
from modelsheet.lora.key_mapping import KeyLayout, diffusers_name
from modelsheet.lora.layer_shapes import LayerKey


def write_diffusers(
    factors: Mapping[LayerKey, LoraFactors], layout: KeyLayout, beside: Mapping[str, Array]
) -> bytes:
    """Return the file's bytes, fp32. Each component has one rank, so that no version of diffusers
    need guess an alpha: without one it is the rank. What stands `beside` the LoRA goes in as it
    came.
    """
    ranks: dict[str, int] = {}
    for site, each in factors.items():
        ranks[site.component] = max(ranks.get(site.component, 0), each.rank)
    tensors = dict(beside)
    for site, each in factors.items():
        padded, weight = each.padded(ranks[site.component]), layout.sites[site]
        name = diffusers_name(site)
        tensors[f"{name}.lora_A.weight"] = padded.down_of(weight.kernel, weight.columns)
        tensors[f"{name}.lora_B.weight"] = padded.up_of(weight.kernel)
    return encode_safetensors(tensors, {"format": "pt"})
