"""Frozen convolutions on a CPU whose weights are reordered (prepacked) for oneDNN once.

PyTorch gives oneDNN plain weights, which it reorders in every call. Where an image has few latents
that takes longer than the convolution: 2560 to 1280 channels on 4 × 4 latents in bf16 take 22.7 ms,
prepacked 3.2. The gradient by the input is the convolution with flipped weights, so that these too
can be prepacked.

The order that oneDNN wants depends on batch, image size and threads. Weights in another order are
reordered in every call, which then takes up to thirty times as long.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable
from torch.nn.grad import conv2d_input

_MOST_LATENTS = 512  # of a batch; with more, reordering costs little next to the arithmetic
_LATENTS_PER_CHANNEL = 2  # but the wider the layer, the more latents it takes for that
_LEAST_CHANNELS = 16
_MOST_ORDERS = 2  # of a layer's weights, each kept for both directions
_MEMORY_SHARE = 0.5  # of the free memory
# In one order. SD 1.5's take 2.1 GB in half precision, as much as loading the model took; in fp32
# they would be twice as much on top of everything else.
_MOST_BYTES = 2_500_000_000


class _PackedWeights:
    """A layer's prepacked weights, opaque tensors, in each order that was wanted so far."""

    def __init__(self, weight: torch.Tensor) -> None:
        self._weight = weight
        self._by_shape: dict[tuple[bool, torch.Size], torch.Tensor | None] = {}
        self._orders: dict[tuple[bool, bytes], torch.Tensor] = {}

    def of(self, images: torch.Tensor, *, backward: bool = False) -> torch.Tensor | None:
        """Return the weights for images or gradients of this shape; None for one order too many."""
        key = backward, images.shape
        if key not in self._by_shape:
            self._by_shape[key] = self._reorder(images.shape, backward=backward)
        return self._by_shape[key]

    def _reorder(self, shape: torch.Size, *, backward: bool) -> torch.Tensor | None:
        weight = self._weight
        if backward:
            weight = weight.flip(2, 3).transpose(0, 1).contiguous()
        one, opaque = [1, 1], weight.to_mkldnn(weight.dtype)
        packed = torch._C._nn.mkldnn_reorder_conv2d_weight(opaque, one, one, one, 1, list(shape))  # type: ignore[call-arg]
        order = backward, _order(packed)
        is_known = order in self._orders
        kept = sum(each is backward for each, _ in list(self._orders))  # another thread may add one
        if not is_known and kept == _MOST_ORDERS:
            return None
        return self._orders.setdefault(order, packed)


class PackedConv2d(nn.Conv2d):
    """A 3 × 3 convolution of stride 1 with prepacked weights; the layer's class while it is packed.

    Batches of other shapes than it has weights for are convolved as ever.
    """

    packed: _PackedWeights

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        weight = self.packed.of(input) if self._is_packed_for(input) else None
        if weight is None:
            return super().forward(input)
        if torch.is_grad_enabled() and input.requires_grad:
            output: torch.Tensor = _Convolve.apply(input, weight, self)  # type: ignore[no-untyped-call]
            return output
        return _convolve(input, weight, self.bias)

    def _is_packed_for(self, images: torch.Tensor) -> bool:
        batch, _, height, width = images.shape
        most_latents = max(_MOST_LATENTS, _LATENTS_PER_CHANNEL * self.in_channels)
        is_plain = self.padding_mode == "zeros" and images.dtype is self.weight.dtype
        return is_plain and batch * height * width <= most_latents


class _Convolve(Function):
    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, weight: torch.Tensor, layer: PackedConv2d
    ) -> torch.Tensor:
        ctx.layer, ctx.packed = layer, layer.packed
        return _convolve(images, weight, layer.bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        weight = ctx.packed.of(gradient, backward=True)
        if weight is None:
            shape = torch.Size((*gradient.shape[:1], ctx.layer.in_channels, *gradient.shape[2:]))
            return conv2d_input(shape, ctx.layer.weight, gradient, padding=1), None, None
        return _convolve(gradient, weight, None), None, None


@contextmanager
def pack_convolutions(network: nn.Module) -> Iterator[None]:
    """Prepack the network's convolutions, each at its first use, until the block ends.

    Does nothing off a CPU, without oneDNN, or where it would take much memory.
    """
    found = [m for m in network.modules() if isinstance(m, nn.Conv2d) and _is_packable(m)]
    if not _has_onednn() or not _fits(found):
        found = []
    for module in found:
        module.__class__ = PackedConv2d
        module.packed = _PackedWeights(module.weight.detach())  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in found:
            module.__class__ = nn.Conv2d
            del module.packed


def _is_packable(module: nn.Conv2d) -> bool:
    return (
        type(module) is nn.Conv2d
        and module.weight.device.type == "cpu"
        and _onednn_computes(module.weight.dtype)
        and not module.weight.requires_grad
        and module.kernel_size == (3, 3)
        and module.stride == module.padding == module.dilation == (1, 1)
        and module.groups == 1
        and min(module.in_channels, module.out_channels) >= _LEAST_CHANNELS
    )


def _has_onednn() -> bool:
    return (
        torch.backends.mkldnn.is_available()
        and hasattr(torch._C._nn, "mkldnn_reorder_conv2d_weight")
        and hasattr(torch.ops.mkldnn, "_convolution_pointwise")
    )


def _onednn_computes(dtype: torch.dtype) -> bool:
    """Tell whether oneDNN has this precision here: half precision needs AVX-512 or better."""
    supported = {
        torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,
        torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    return dtype is torch.float32 or (dtype in supported and bool(supported[dtype]()))


def _fits(found: Sequence[nn.Conv2d]) -> bool:
    weights = sum(module.weight.numel() * module.weight.element_size() for module in found)
    packed = 2 * weights
    free = psutil.virtual_memory().available
    return packed < _MOST_BYTES and _MOST_ORDERS * packed < _MEMORY_SHARE * free


# PyTorch has no public functions for prepacked weights; these are the ones that torch.compile emits
# for a CPU.


def _order(packed: torch.Tensor) -> bytes:
    """Return oneDNN's description of a prepacked weight's order in memory."""
    return bytes(torch.ops.mkldnn._get_mkldnn_serialized_md(packed).tolist())


def _convolve(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    one = (1, 1)
    convolved: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
        images, weight, bias, one, one, one, 1, "none", [], ""
    )
    return convolved
