"""The fused LoRA layer gives the outputs and gradients of peft's."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from peft.tuners.lora import Linear as LoraLinear
from torch import nn

from modelsheet.diffusion.kernels.fused_lora import FusedLoraLinear, fuse_lora


class Net(nn.Module):
    def __init__(self, bias: bool) -> None:
        super().__init__()
        self.layer = nn.Linear(24, 40, bias=bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.layer(x)
        return answer


def pair(*, bias: bool = True, alpha: int = 4, dtype: torch.dtype = torch.float32) -> list[Any]:
    """The same layer with the same adapter, as peft has it and fused."""
    torch.manual_seed(3)
    net = Net(bias).to(dtype).requires_grad_(False)
    stock: Any = inject_adapter_in_model(
        LoraConfig(r=4, lora_alpha=alpha, target_modules=["layer"]), net, "one"
    )
    for name, parameter in stock.named_parameters():
        if "lora_" in name:
            parameter.data = torch.randn_like(parameter, dtype=torch.float32)
            parameter.requires_grad_(True)
    fused = copy.deepcopy(stock)
    fuse_lora(fused)
    assert type(stock.layer) is LoraLinear
    assert type(fused.layer) is FusedLoraLinear
    return [stock, fused]


def passed(net: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Output and all gradients by name."""
    x = x.detach().clone().requires_grad_()
    output = net(x)
    weights = torch.linspace(-1, 1, output.numel()).view(output.shape)
    (output.float() * weights).sum().backward()
    assert x.grad is not None
    found = {name: p.grad for name, p in net.named_parameters() if p.grad is not None}
    return {"output": output.detach(), "x": x.grad, **found}


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("alpha", [4, 2])
@pytest.mark.parametrize("shape", [(24,), (5, 24), (2, 3, 24)])
def test_outputs_and_gradients_are_peft_s(bias: bool, alpha: int, shape: tuple[int, ...]) -> None:
    stock, fused = pair(bias=bias, alpha=alpha)
    x = torch.randn(shape)
    expected, got = passed(stock, x), passed(fused, x)
    assert expected.keys() == got.keys()
    assert len(got) == 4
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value)


def test_rows_that_do_not_lie_together_are_taken() -> None:
    stock, fused = pair()
    x = torch.randn(2, 24, 3).transpose(1, 2)
    torch.testing.assert_close(passed(fused, x)["output"], passed(stock, x)["output"])


def test_half_precision_rounds_and_keeps_the_adapter_s_own() -> None:
    _, exact = pair()
    _, half = pair(dtype=torch.bfloat16)
    x = torch.randn(6, 24).bfloat16()
    expected, got = passed(exact, x.float()), passed(half, x)
    assert got["output"].dtype is got["x"].dtype is torch.bfloat16
    for name in ("layer.lora_A.one.weight", "layer.lora_B.one.weight"):
        assert got[name].dtype is torch.float32
    for name, value in expected.items():
        scale = float(value.abs().max())
        torch.testing.assert_close(got[name].float(), value, atol=0.03 * scale, rtol=0.0)


def test_mixed_precision_is_obeyed_as_by_any_linear_layer() -> None:
    stock, fused = pair()
    x = torch.randn(6, 24)
    with torch.autocast("cpu", torch.bfloat16):
        expected, got = passed(stock, x), passed(fused, x)
    assert got["output"].dtype is expected["output"].dtype is torch.bfloat16
    for name, value in expected.items():
        scale = float(value.abs().max())
        torch.testing.assert_close(got[name], value, atol=0.02 * scale, rtol=0.0)


def test_an_adapter_that_is_off_leaves_the_frozen_layer() -> None:
    _, fused = pair()
    x = torch.randn(5, 24)
    fused.layer.enable_adapters(False)
    assert torch.equal(fused(x), fused.layer.base_layer(x))


def test_two_adapters_at_once_both_count() -> None:
    stock, fused = pair()
    for net in (stock, fused):
        torch.manual_seed(4)
        with pytest.warns(UserWarning, match="multiple adapters"):
            inject_adapter_in_model(
                LoraConfig(r=2, init_lora_weights=False, target_modules=["layer"]), net, "two"
            )
        net.layer.set_adapter(["one", "two"])
    x = torch.randn(5, 24)
    torch.testing.assert_close(fused(x), stock(x))
    assert not torch.allclose(fused(x), pair()[1](x))


def test_a_merged_adapter_is_not_added_twice() -> None:
    _, fused = pair()
    x = torch.randn(5, 24)
    before = fused(x)
    fused.layer.merge()
    torch.testing.assert_close(fused(x), before)
