"""Merged LoRA layers give what peft's give, and are peft's again afterwards; without them a network
is as it was.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from torch import nn

from modelsheet.diffusion.kernels.merged_lora import merge_lora, without_lora
from modelsheet.diffusion.kernels.packed_conv2d import PackedConv2d, pack_convolutions


class Network(nn.Module):
    """A convolution, a linear layer of its channels, and a layer without an adapter."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1)
        self.inner = nn.Sequential(nn.Linear(16, 16), nn.SiLU())
        self.plain = nn.Linear(16, 16)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.conv(images).flatten(2).transpose(1, 2)
        output: torch.Tensor = self.plain(self.inner(tokens))
        return output


IMAGES = torch.randn(2, 16, 4, 4, generator=torch.Generator().manual_seed(1))


def network(dtype: torch.dtype = torch.float32, **options: Any) -> Any:
    torch.manual_seed(3)
    config = LoraConfig(r=4, target_modules=["conv", "inner.0"], init_lora_weights=False, **options)
    adapted = get_peft_model(Network().to(dtype), config, "first")
    adapted.add_adapter("second", LoraConfig(r=2, target_modules=["conv"], init_lora_weights=False))
    return adapted


def kinds(adapted: PeftModel) -> list[type]:
    return [type(module) for module in adapted.modules()]


@pytest.mark.parametrize("adapters", [["first"], ["first", "second"], []])
@torch.no_grad()
def test_merged_layers_give_the_same(adapters: list[str]) -> None:
    adapted = network()
    if adapters:
        adapted.base_model.set_adapter(adapters)
    else:
        adapted.base_model.disable_adapter_layers()
    before, expected = kinds(adapted), adapted(IMAGES)

    with merge_lora(adapted):
        assert not any(isinstance(module, LoraLayer) for module in adapted.modules())
        torch.testing.assert_close(adapted(IMAGES), expected, rtol=1e-4, atol=1e-5)

    assert kinds(adapted) == before
    assert torch.equal(adapted(IMAGES), expected)


@pytest.mark.parametrize(
    ("dtype", "options"), [(torch.bfloat16, {}), (torch.float32, {"use_dora": True})]
)
@torch.no_grad()
def test_what_would_be_rounded_or_is_a_variant_stays(
    dtype: torch.dtype, options: dict[str, bool]
) -> None:
    adapted = network(dtype, **options)
    adapted.base_model.set_adapter("first")
    images = IMAGES.to(dtype)
    expected = adapted(images)
    with merge_lora(adapted):
        assert torch.equal(adapted(images), expected)


def test_packed_and_circular_convolutions_stay_so() -> None:
    adapted = network()
    conv = adapted.base_model.model.conv.base_layer.requires_grad_(False)

    def pad(mode: str) -> None:
        for module in adapted.modules():
            if isinstance(module, nn.Conv2d):
                module.padding_mode = mode

    pad("circular")
    with torch.no_grad():
        circular = adapted(IMAGES)
    pad("zeros")
    with pack_convolutions(adapted), torch.inference_mode():
        assert type(conv) is PackedConv2d
        expected = adapted(IMAGES)
        with merge_lora(adapted), pack_convolutions(adapted):
            assert type(adapted.base_model.model.conv) is PackedConv2d
            torch.testing.assert_close(adapted(IMAGES), expected, rtol=1e-4, atol=1e-5)
        pad("circular")
        with merge_lora(adapted):
            torch.testing.assert_close(adapted(IMAGES), circular, rtol=1e-4, atol=1e-5)


def test_learning_goes_on_after_it() -> None:
    adapted = network()
    with torch.inference_mode(), merge_lora(adapted):
        adapted(IMAGES)
    adapted(IMAGES).square().sum().backward()
    gradients = [
        p.grad for name, p in adapted.named_parameters() if "lora_" in name and "first" in name
    ]
    assert gradients
    assert all(each is not None and each.abs().sum() > 0 for each in gradients)


def test_an_error_restores_the_layers() -> None:
    adapted = network()
    before = kinds(adapted)
    with pytest.raises(ZeroDivisionError), merge_lora(adapted):
        raise ZeroDivisionError
    assert kinds(adapted) == before


@torch.no_grad()
def test_a_copy_without_lora_shares_the_weights_of_its_original() -> None:
    adapted = network()
    before = kinds(adapted)
    with pack_convolutions(adapted):
        adapted.base_model.disable_adapter_layers()
        expected = adapted(IMAGES)
        adapted.base_model.enable_adapter_layers()
        twin = without_lora(adapted)
        changed = adapted(IMAGES)

        assert not any(isinstance(module, LoraLayer) for module in twin.modules())
        assert torch.equal(twin(IMAGES), expected)
        assert not torch.allclose(changed, expected, rtol=1e-2)
        [packed] = [each for each in twin.modules() if isinstance(each, PackedConv2d)]
        [original] = [each for each in adapted.modules() if isinstance(each, PackedConv2d)]
        assert packed is not original
        assert packed.packed is original.packed

    own = {parameter.data_ptr() for parameter in adapted.parameters()}
    assert {parameter.data_ptr() for parameter in twin.parameters()} < own
    assert kinds(adapted) == before
    assert not torch.allclose(adapted(IMAGES), expected, rtol=1e-2)
