"""Fuse peft's LoRA layer into one autograd node instead of some ten: the same three products, with
nothing copied, scaled or added between them.

At a batch of one, training is bound by the number of operations; in half precision peft also
computes the adapter's part in fp32, and casts its inputs and outputs.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class FusedLoraLinear(LoraLinear):  # type: ignore[misc]
    """peft's layer with mixed-precision rounding: products in the frozen weights' precision, the
    adapter's gradients in its own. Where the adapter is off, merged, not alone or not plain, peft's
    own forward is used.
    """

    fused: frozenset[str]  # names of adapters; one that is added later is not among them

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        active = self.active_adapters
        is_active = not (self.disable_adapters or self.merged)
        if not is_active or len(active) != 1 or active[0] not in self.fused or args or kwargs:
            stock: torch.Tensor = super().forward(x, *args, **kwargs)
            return stock
        name, frozen = active[0], self.base_layer
        factors = frozen.weight, frozen.bias, self.lora_A[name].weight, self.lora_B[name].weight
        product: torch.Tensor = _LoraLinear.apply(x, *factors, self.scaling[name])  # type: ignore[no-untyped-call]
        return product


def fuse_lora(network: nn.Module) -> None:
    """Switch the network's LoRA layers to fused ones; removing the adapter removes them too."""
    layers: list[Any] = [module for module in network.modules() if type(module) is LoraLinear]
    for layer in layers:
        if type(layer.base_layer) is nn.Linear:
            layer.__class__ = FusedLoraLinear
            layer.fused = frozenset(name for name in layer.lora_A if _is_plain(layer, name))


def _is_plain(layer: Any, name: str) -> bool:
    return (
        name not in layer.lora_variant
        and isinstance(layer.lora_dropout[name], nn.Identity)
        and layer.lora_B[name].bias is None
    )


class _LoraLinear(Function):
    """x · Wᵀ + b + s · (x · Aᵀ) · Bᵀ with W and b frozen; shapes (…, in), (out, in), (out),
    (rank, in), (out, rank).
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        down: torch.Tensor,
        up: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        ctx.adapter_dtype, ctx.dtype, ctx.shape, ctx.scale = down.dtype, x.dtype, x.shape, scale
        dtype = _compute_dtype(weight)
        rows, weight = x.reshape(-1, x.shape[-1]).to(dtype), weight.to(dtype)
        down, up = down.to(dtype), up.to(dtype)
        low = rows.mm(down.t())
        flat = (
            rows.mm(weight.t()) if bias is None else torch.addmm(bias.to(dtype), rows, weight.t())
        )
        flat.addmm_(low, up.t(), alpha=scale)
        ctx.save_for_backward(rows, low, weight, down, up)
        return flat.view(*x.shape[:-1], -1)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        rows, low, weight, down, up = ctx.saved_tensors
        flat = gradient.reshape(-1, gradient.shape[-1])
        low_gradient = flat.mm(up)
        up_gradient = flat.t().mm(low)
        if ctx.scale != 1.0:
            low_gradient, up_gradient = low_gradient * ctx.scale, up_gradient * ctx.scale
        down_gradient = low_gradient.t().mm(rows)
        below = None
        if ctx.needs_input_grad[0]:
            below = flat.mm(weight).addmm_(low_gradient, down).view(ctx.shape).to(ctx.dtype)
        own = ctx.adapter_dtype
        return below, None, None, down_gradient.to(own), up_gradient.to(own), None


def _compute_dtype(weight: torch.Tensor) -> torch.dtype:
    """Return the dtype that a linear layer of this weight is computed in."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
