"""Packed convolutions give what the plain ones give, and are plain again afterwards."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from modelsheet.diffusion.kernels import packed_conv2d
from modelsheet.diffusion.kernels.packed_conv2d import PackedConv2d, pack_convolutions

pytestmark = pytest.mark.skipif(
    not packed_conv2d._has_onednn(), reason="this PyTorch has no oneDNN"
)
HAS_BF16 = packed_conv2d._onednn_computes(torch.bfloat16)
KINDS = (
    torch.float32,
    pytest.param(
        torch.bfloat16,
        marks=pytest.mark.skipif(not HAS_BF16, reason="this processor's oneDNN has no bf16"),
    ),
)


def convolution(dtype: torch.dtype = torch.float32, **options: Any) -> nn.Conv2d:
    torch.manual_seed(5)
    return nn.Conv2d(32, 48, 3, padding=1, **options).to(dtype).requires_grad_(False)


def passed(layer: nn.Module, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Output, and the gradient by the input."""
    images = images.detach().clone().requires_grad_()
    output = layer(images)
    output.float().square().sum().backward()
    assert images.grad is not None
    return output.detach(), images.grad


def alike(one: torch.Tensor, other: torch.Tensor) -> None:
    """Equal but for the order in which products are added up."""
    scale = float(other.abs().max())
    share = 1e-5 if other.dtype is torch.float32 else 2e-2
    torch.testing.assert_close(one, other, atol=share * scale, rtol=0.0)


@pytest.mark.parametrize("dtype", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("batch", [1, 3])
def test_output_and_gradient_are_the_plain_ones(dtype: torch.dtype, bias: bool, batch: int) -> None:
    layer = convolution(dtype, bias=bias)
    images = torch.randn(batch, 32, 4, 6).to(dtype)
    expected = passed(layer, images)
    with pack_convolutions(layer):
        assert type(layer) is PackedConv2d
        got = passed(layer, images)
        assert layer.packed._orders
        with torch.no_grad():
            alike(layer(images), expected[0])
    for one, other in zip(got, expected, strict=True):
        alike(one, other)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("backward", [False, True])
def test_each_batch_has_the_order_that_onednn_wants(threads: int, backward: bool) -> None:
    layer, before = nn.Conv2d(64, 64, 3, padding=1), torch.get_num_threads()
    weight = layer.requires_grad_(False).weight
    if backward:
        weight = weight.flip(2, 3).transpose(0, 1)
    torch.set_num_threads(threads)
    try:
        with pack_convolutions(layer):
            assert isinstance(layer, PackedConv2d)
            for batch in (1, 9):
                images = torch.empty(batch, weight.shape[1], 8, 8)
                fresh = packed_conv2d._PackedWeights(layer.weight).of(images, backward=backward)
                kept = layer.packed.of(images, backward=backward)
                assert fresh is not None
                assert kept is not None
                assert packed_conv2d._order(kept) == packed_conv2d._order(fresh)
    finally:
        torch.set_num_threads(before)


def test_shapes_of_one_order_share_their_weights() -> None:
    weights = packed_conv2d._PackedWeights(convolution().weight)
    kept = {id(weights.of(torch.empty(batch, 32, 4, 4))) for batch in range(1, 9)}
    assert len(kept) <= packed_conv2d._MOST_ORDERS
    assert len(weights._by_shape) == 8


@pytest.mark.parametrize("most_orders", [0, 1])
def test_an_order_too_many_and_a_large_image_take_the_plain_path(
    monkeypatch: pytest.MonkeyPatch, most_orders: int
) -> None:
    layer = convolution()
    expected = passed(layer, images := torch.randn(3, 32, 4, 4))
    monkeypatch.setattr(packed_conv2d, "_order", lambda packed: id(packed))
    monkeypatch.setattr(packed_conv2d, "_MOST_ORDERS", most_orders)
    with pack_convolutions(layer):
        layer(torch.randn(1, 32, 64, 64))
        assert not layer.packed._by_shape
        layer.packed.of(torch.empty(2, 48, 2, 2), backward=True)
        for one, other in zip(passed(layer, images), expected, strict=True):
            alike(one, other)


def test_circular_padding_stays_circular() -> None:
    layer = convolution()
    images = torch.randn(1, 32, 4, 4)
    layer.padding_mode = "circular"
    circular = layer(images)
    with pack_convolutions(layer):
        assert torch.equal(layer(images), circular)
        layer.padding_mode = "zeros"
        assert not torch.allclose(layer(images), circular)


def test_it_is_plain_again_after_a_block_that_fails() -> None:
    layer = convolution()
    state = set(vars(layer))

    def fail() -> None:
        with pack_convolutions(layer):
            layer(torch.randn(1, 32, 4, 4))
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        fail()
    assert type(layer) is nn.Conv2d
    assert set(vars(layer)) == state


@pytest.mark.parametrize(
    "options", [{"stride": 2}, {"groups": 2}, {"dilation": 2}], ids=["stride", "groups", "dilation"]
)
def test_others_are_left_alone(options: dict[str, int]) -> None:
    layer = convolution(**options)
    with pack_convolutions(layer):
        assert type(layer) is nn.Conv2d


def test_trainable_weights_are_left_alone() -> None:
    layer = convolution().requires_grad_(True)
    with pack_convolutions(layer):
        assert type(layer) is nn.Conv2d


def test_nothing_is_packed_where_memory_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        available = 1000

    monkeypatch.setattr(packed_conv2d.psutil, "virtual_memory", Memory)
    layer = convolution()
    with pack_convolutions(layer):
        assert type(layer) is nn.Conv2d


def test_nothing_is_packed_that_would_take_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = convolution()
    monkeypatch.setattr(packed_conv2d, "_MOST_BYTES", 2 * layer.weight.nbytes)
    with pack_convolutions(layer):
        assert type(layer) is nn.Conv2d
    monkeypatch.setattr(packed_conv2d, "_MOST_BYTES", 2 * layer.weight.nbytes + 1)
    with pack_convolutions(layer):
        assert type(layer) is PackedConv2d
