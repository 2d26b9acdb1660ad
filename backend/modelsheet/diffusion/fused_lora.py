"""peft's LoRA layer with one node in the graph instead of some ten: the same three products, with
nothing copied, scaled or added between them.

At a batch of one, learning is bound by how many operations there are; in half precision peft also
computes what the adapter adds in fp32, and casts whatever goes in and out of it.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as LoraLinear
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable


class FusedLora(LoraLinear):  # type: ignore[misc]
    """What peft's layer gives, rounded as mixed precision does: the products in the frozen
    weights' precision, the gradients of the adapter in its own. Where the adapter is off, merged,
    not alone or not plain, peft's own way is taken.
    """

    def forward(self, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        name = self._only_plain_adapter()
        if name is None or args or kwargs:
            passed: torch.Tensor = super().forward(x, *args, **kwargs)
            return passed
        frozen = self.base_layer
        down, up = self.lora_A[name].weight, self.lora_B[name].weight
        factors = frozen.weight, frozen.bias, down, up
        fused: torch.Tensor = _Product.apply(x, *factors, self.scaling[name])  # type: ignore[no-untyped-call]
        return fused

    def _only_plain_adapter(self) -> str | None:
        if self.disable_adapters or self.merged or len(self.active_adapters) != 1:
            return None
        name = self.active_adapters[0]
        is_plain = (
            name in self.lora_A
            and name not in self.lora_variant
            and type(self.base_layer) is nn.Linear
            and isinstance(self.lora_dropout[name], nn.Identity)
            and self.lora_B[name].bias is None
        )
        return name if is_plain else None


def fuse_lora(network: nn.Module) -> None:
    """Let the network's LoRA layers be computed so; they go away with the adapter, as peft's do."""
    for module in network.modules():
        if type(module) is LoraLinear:
            module.__class__ = FusedLora


class _Product(Function):
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
        kind = _computed_in(weight)
        rows, weight = x.reshape(-1, x.shape[-1]).to(kind), weight.to(kind)
        down, up = down.to(kind), up.to(kind)
        low = rows.mm(down.t())
        flat = rows.mm(weight.t()) if bias is None else torch.addmm(bias.to(kind), rows, weight.t())
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


def _computed_in(weight: torch.Tensor) -> torch.dtype:
    """What a linear layer would be computed in."""
    device = weight.device.type
    return torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else weight.dtype
