"""Frozen convolutions on a CPU whose weights are laid out for oneDNN once.

PyTorch gives oneDNN plain weights, which it lays out anew in every call. Where a picture has few
latents that takes longer than the convolution: 2560 to 1280 channels on 4 × 4 latents in bf16 take
22.7 ms, laid out beforehand 3.2. The gradient by the input is the convolution with the weights
turned round, so that it too can be laid out once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import psutil
import torch
from torch import nn
from torch.autograd import Function
from torch.autograd.function import once_differentiable

_FEW_PLACES = 512  # latents of a batch; with more the layout costs little next to the arithmetic
_PLACES_PER_CHANNEL = 2  # but the wider the network, the more of them it takes for that
_LEAST_CHANNELS = 16
_MOST_SIZES = 2  # of pictures, for each of which the weights are kept in both directions
_MEMORY_SHARE = 0.5  # of what is free
# For one size. SD 1.5's take 2.1 GB in half precision, which it took to be loaded; in fp32 they
# would be twice as much on top of everything else.
_MOST_BYTES = 2_500_000_000


class _Layouts(NamedTuple):
    """The weights as the pass and as its gradient need them; opaque tensors."""

    forwards: torch.Tensor
    backwards: torch.Tensor


class PackedConvolution(nn.Conv2d):
    """A convolution of 3 × 3 and stride 1 that changes its class for as long as it is packed.

    A layout serves any batch but only pictures of the size it was made for: on others oneDNN may
    lay it out again, a hundred times slower than the convolution.
    """

    layouts: dict[tuple[int, int], _Layouts]

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        layouts = self._layouts_for(input)
        if layouts is None:
            return super().forward(input)
        if torch.is_grad_enabled() and input.requires_grad:
            packed: torch.Tensor = _Convolve.apply(input, layouts, self.bias)  # type: ignore[no-untyped-call]
            return packed
        return _convolve(input, layouts.forwards, self.bias)

    def _layouts_for(self, pictures: torch.Tensor) -> _Layouts | None:
        batch, _, height, width = pictures.shape
        most = max(_FEW_PLACES, _PLACES_PER_CHANNEL * self.in_channels)
        is_plain = self.padding_mode == "zeros" and pictures.dtype is self.weight.dtype
        if not is_plain or batch * height * width > most:
            return None
        size = height, width
        if size not in self.layouts and len(self.layouts) < _MOST_SIZES:
            self.layouts[size] = self._lay_out(size)
        return self.layouts.get(size)

    @torch.no_grad()
    def _lay_out(self, size: tuple[int, int]) -> _Layouts:
        turned = self.weight.flip(2, 3).transpose(0, 1).contiguous()
        return _Layouts(_laid_out(self.weight, size), _laid_out(turned, size))


class _Convolve(Function):
    @staticmethod
    def forward(
        ctx: Any, pictures: torch.Tensor, layouts: _Layouts, bias: torch.Tensor | None
    ) -> torch.Tensor:
        ctx.backwards = layouts.backwards
        return _convolve(pictures, layouts.forwards, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return _convolve(gradient, ctx.backwards, None), None, None


@contextmanager
def packed(network: nn.Module) -> Iterator[None]:
    """Pack what can be packed of the network, each when it is first used, until the block ends.
    Does nothing off a CPU, without oneDNN, or where it would take much memory.
    """
    found = [m for m in network.modules() if isinstance(m, nn.Conv2d) and _can_be_packed(m)]
    if not _has_onednn() or not _fits(found):
        found = []
    for module in found:
        module.__class__ = PackedConvolution
        module.layouts = {}  # type: ignore[assignment]
    try:
        yield
    finally:
        for module in found:
            module.__class__ = nn.Conv2d
            del module.layouts


def _can_be_packed(module: nn.Conv2d) -> bool:
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
    layouts = 2 * weights
    free = psutil.virtual_memory().available
    return layouts < _MOST_BYTES and _MOST_SIZES * layouts < _MEMORY_SHARE * free


# PyTorch has no public functions for weights laid out beforehand; these are what torch.compile
# emits for a CPU.


def _laid_out(weight: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Weights (out, in, 3, 3) for pictures of that many latents in height and width."""
    one, shape = [1, 1], [1, weight.shape[1], *size]
    opaque = weight.to_mkldnn(weight.dtype)
    return torch._C._nn.mkldnn_reorder_conv2d_weight(opaque, one, one, one, 1, shape)  # type: ignore[call-arg]


def _convolve(
    pictures: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None
) -> torch.Tensor:
    one = (1, 1)
    convolved: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
        pictures, weight, bias, one, one, one, 1, "none", [], ""
    )
    return convolved
