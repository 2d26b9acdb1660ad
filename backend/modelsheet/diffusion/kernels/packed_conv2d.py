"""Frozen convolutions on a CPU whose weights are reordered (prepacked) for oneDNN once.

PyTorch gives oneDNN plain weights, which it reorders in every call. Where an image has few latents
that takes longer than the convolution: 2560 to 1280 channels on 4 × 4 latents in bf16 take 22.7 ms,
prepacked 3.2. The gradient by the input is the convolution with flipped weights, so that these too
can be prepacked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import psutil
import torch
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_MOST_LATENTS = 512  # of a batch; with more, reordering costs little next to the arithmetic
_LATENTS_PER_CHANNEL = 2  # but the wider the layer, the more latents it takes for that
_LEAST_CHANNELS = 16
_MOST_SIZES = 2  # of images, for each of which both directions' weights are kept
_MEMORY_SHARE = 0.5  # of the free memory
# For one size. SD 1.5's take 2.1 GB in half precision, as much as loading the model took; in fp32
# they would be twice as much on top of everything else.
_MOST_BYTES = 2_500_000_000


class _PackedWeights:
    """Prepacked weights for images of one size, opaque tensors: those of the forward pass, and of
    the backward pass from the first one on.
    """

    def __init__(self, weight: torch.Tensor, size: tuple[int, int]) -> None:
        self._weight, self._size = weight, size
        self.forward = _reorder(weight, size)

    @cached_property
    def backward(self) -> torch.Tensor:
        return _reorder(self._weight.flip(2, 3).transpose(0, 1).contiguous(), self._size)


class PackedConv2d(nn.Conv2d):
    """A 3 × 3 convolution of stride 1 with prepacked weights; the layer's class while it is packed.

    Packed weights serve any batch but only images of the size they were packed for: on others
    oneDNN may reorder them again, a hundred times slower than the convolution.
    """

    packed: dict[tuple[int, int], _PackedWeights]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        packed = self._packed_for(input)
        if packed is None:
            return super().forward(input)
        if torch.is_grad_enabled() and input.requires_grad:
            output: torch.Tensor = _Convolve.apply(input, packed, self.bias)  # type: ignore[no-untyped-call]
            return output
        return _convolve(input, packed.forward, self.bias)

    def _packed_for(self, images: torch.Tensor) -> _PackedWeights | None:
        batch, _, height, width = images.shape
        most_latents = max(_MOST_LATENTS, _LATENTS_PER_CHANNEL * self.in_channels)
        is_plain = self.padding_mode == "zeros" and images.dtype is self.weight.dtype
        if not is_plain or batch * height * width > most_latents:
            return None
        size = height, width
        if size not in self.packed and len(self.packed) < _MOST_SIZES:
            self.packed[size] = _PackedWeights(self.weight.detach(), size)
        return self.packed.get(size)


class _Convolve(Function):
    @staticmethod
    def forward(
        ctx: Any, images: torch.Tensor, packed: _PackedWeights, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.packed = packed
        return _convolve(images, packed.forward, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _convolve(gradient, ctx.packed.backward, None), None, None


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
        module.packed = {}  # type: ignore[assignment]
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
    return packed < _MOST_BYTES and _MOST_SIZES * packed < _MEMORY_SHARE * free


# PyTorch has no public functions for prepacked weights; these are the ones that torch.compile emits
# for a CPU.


def _reorder(weight: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Reorder weights (out, in, 3, 3) for images of that many latents in height and width."""
    one, shape = [1, 1], [1, weight.shape[1], *size]
    opaque = weight.to_mkldnn(weight.dtype)
    return torch._C._nn.mkldnn_reorder_conv2d_weight(opaque, one, one, one, 1, shape)  # type: ignore[call-arg]


def _convolve(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    one = (1, 1)
    convolved: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
        images, weight, bias, one, one, one, 1, "none", [], ""
    )
    return convolved
