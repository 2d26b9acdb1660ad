"""Networks without LoRA layers: with the adapters merged into the weights, or without adapters.

peft computes an adapter beside each layer in every step, which takes a small network twice as long.
Merged once for all steps it costs nothing. The merged layers stand in for peft's, whose weights do
not change: nothing has to be subtracted again, which would be rounded.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from modelsheet.diffusion.kernels.packed_conv2d import PackedConv2d


@contextmanager
def merge_lora(network: nn.Module) -> Iterator[None]:
    """Replace the network's LoRA layers until the block ends: those of fp32 linear and convolution
    layers, by plain ones with the active adapters added. In half precision most of an adapter would
    round to nothing; such layers, and variants of LoRA, stay as they are.

    Takes the memory of the layers once more. Adapters must not be switched meanwhile.
    """
    replaced = [
        (parent, name, layer)
        for parent in network.modules()
        if not isinstance(parent, LoraLayer)
        for name, layer in parent.named_children()
        if isinstance(layer, LoraLayer)
    ]
    # Outside of inference mode: autograd could not use what is made in it.
    with torch.inference_mode(False), torch.no_grad():
        merged = [_merged(layer) for _, _, layer in replaced]
    try:
        for (parent, name, layer), plain in zip(replaced, merged, strict=True):
            parent._modules[name] = layer if plain is None else plain
        yield
    finally:
        for parent, name, layer in replaced:
            parent._modules[name] = layer


def without_lora(network: nn.Module) -> nn.Module:
    """Copy a network's tree of modules without LoRA layers; all else the copy shares."""
    if isinstance(network, LoraLayer):
        return without_lora(network.base_layer)
    twin = copy.copy(network)
    twin._modules = {
        name: None if child is None else without_lora(child)
        for name, child in network._modules.items()
    }
    return twin


def _merged(layer: LoraLayer) -> nn.Module | None:
    """Return a plain layer with the active adapters; None where it cannot be merged."""
    base: nn.Module = layer.base_layer
    if type(base) not in (nn.Linear, nn.Conv2d, PackedConv2d) or layer.merged:
        return None
    names = (
        [] if layer.disable_adapters else [n for n in layer.active_adapters if n in layer.lora_A]
    )
    if not names:
        return base
    is_plain = all(n not in layer.lora_variant and layer.lora_B[n].bias is None for n in names)
    if base.weight.dtype is not torch.float32 or not is_plain:
        return None
    weight = base.weight.detach().clone()
    for name in names:
        weight += layer.get_delta_weight(name)
    plain = copy.copy(base)
    plain._parameters = {**base._parameters, "weight": nn.Parameter(weight, requires_grad=False)}
    if isinstance(plain, PackedConv2d):
        del plain.packed
        plain.__class__ = nn.Conv2d  # type: ignore[assignment]
    return plain
