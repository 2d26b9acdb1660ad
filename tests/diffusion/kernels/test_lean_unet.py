"""Lean layers give what diffusers' own give, whatever is put on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from peft import LoraConfig
from PIL import Image

from modelsheet.api.learn import TrainingOverrides
from modelsheet.diffusion.families.stable_diffusion.adapter_targets import unet_layers
from modelsheet.diffusion.kernels import lean_unet
from modelsheet.diffusion.kernels.fused_lora import FusedLoraLinear
from modelsheet.diffusion.kernels.lean_unet import LeanResnetBlock, LeanTransformer, use_lean_layers
from modelsheet.diffusion.kernels.packed_conv2d import PackedConv2d
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.models.hyperparameters import AdapterShape
from modelsheet_benchmarks import standalone_training

FAMILIES = ("sd15", "sdxl")
EVERYWHERE = AdapterShape(rank=2, text_encoder_rank=0, feed_forward=True, convolutions=True)


def unets(data_dir: Path, family: str) -> tuple[Any, Any]:
    """The same network twice: as diffusers has it, and lean."""
    folder = data_dir / "models" / family / "unet"
    stock, lean = (UNet2DConditionModel.from_pretrained(folder).eval() for _ in range(2))
    for unet in (stock, lean):
        unet.requires_grad_(False)
    use_lean_layers(lean)
    return stock, lean


def said(unet: Any, height: int = 8, width: int = 8, *, training: bool = False) -> torch.Tensor:
    """The prediction, or the gradient by the prompt."""
    generator = torch.Generator().manual_seed(0)
    latents = torch.randn(2, 4, height, width, generator=generator)
    prompt = torch.randn(2, 5, unet.config.cross_attention_dim, generator=generator)
    prompt.requires_grad_(training)
    added = None
    if unet.config.addition_embed_type:
        embedded = unet.add_embedding.linear_1.in_features
        pooled = embedded - 6 * unet.config.addition_time_embed_dim
        added = {"text_embeds": torch.ones(2, pooled), "time_ids": torch.full((2, 6), 8.0)}
    with torch.set_grad_enabled(training):
        predicted = unet(latents, torch.tensor([3, 700]), prompt, added_cond_kwargs=added).sample
    if not training:
        assert isinstance(predicted, torch.Tensor)
        return predicted
    predicted.square().sum().backward()
    assert prompt.grad is not None
    return prompt.grad


def wear(unet: Any) -> None:
    """Put LoRA that does something on all kinds of layers, the same one on equal networks."""
    torch.manual_seed(7)
    unet.add_adapter(
        LoraConfig(
            r=2,
            lora_alpha=2,
            target_modules=list(unet_layers(EVERYWHERE)),
            init_lora_weights="gaussian",
        )
    )
    for name, parameter in unet.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_layer_becomes_lean(data_dir: Path, family: str) -> None:
    _, lean = unets(data_dir, family)
    kinds = {type(module) for module in lean.modules()}
    assert {LeanResnetBlock, LeanTransformer} <= kinds
    assert not {ResnetBlock2D, Transformer2DModel} & kinds


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("size", [(8, 8), (16, 8)])
def test_a_lean_network_predicts_the_same(
    data_dir: Path, family: str, size: tuple[int, int]
) -> None:
    stock, lean = unets(data_dir, family)
    torch.testing.assert_close(said(lean, *size), said(stock, *size))


@pytest.mark.parametrize("family", FAMILIES)
def test_adapters_on_any_layer_act_the_same(data_dir: Path, family: str) -> None:
    stock, lean = unets(data_dir, family)
    before = said(stock)
    for unet in (stock, lean):
        wear(unet)
    assert not torch.allclose(before, said(stock))
    torch.testing.assert_close(said(lean), said(stock))
    torch.testing.assert_close(said(lean, training=True), said(stock, training=True))


@pytest.mark.parametrize("queries", [16, 4096], ids=["by products", "fused"])
@pytest.mark.parametrize("is_training", [False, True])
def test_attention_in_half_precision_is_that_of_full(queries: int, *, is_training: bool) -> None:
    """With its gradients, however many tokens there are."""
    torch.manual_seed(0)
    shapes = (queries, 77, 77)
    full = [torch.randn(1, 2, tokens, 8).bfloat16().float() for tokens in shapes]
    half = [each.bfloat16() for each in full]
    outputs, gradients = [], []
    for given in (full, half):
        with torch.set_grad_enabled(is_training):
            attended = lean_unet._attend(*(each.requires_grad_(is_training) for each in given))
        outputs.append(attended.detach().float())
        if is_training:
            found = torch.autograd.grad(attended.square().sum(), given)
            gradients.append(torch.cat([each.float().flatten() for each in found]))
    assert half[0].dtype is torch.bfloat16
    torch.testing.assert_close(outputs[1], outputs[0], rtol=0.05, atol=0.02)
    if is_training:
        error = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
        assert float(error) < 0.03


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_computed_twice_are_still_the_same(data_dir: Path, family: str) -> None:
    stock, lean = unets(data_dir, family)
    lean.train()  # or nothing is computed twice
    lean.enable_gradient_checkpointing()
    block = next(m for m in lean.modules() if isinstance(m, LeanTransformer)).transformer_blocks[0]
    passes = list[int]()
    block.attn1.to_q.register_forward_hook(lambda *_: passes.append(1))
    torch.testing.assert_close(said(lean, training=True), said(stock, training=True))
    assert len(passes) == 2


def test_attention_in_slices_is_still_done_in_slices(data_dir: Path) -> None:
    stock, lean = unets(data_dir, "sd15")
    lean.set_attention_slice(1)
    torch.testing.assert_close(said(lean), said(stock))
    block = next(m for m in lean.modules() if isinstance(m, LeanTransformer))
    taken = block.transformer_blocks[0].attn1.processor
    lean.set_attn_processor(Counting(taken))
    said(lean)
    assert Counting.calls


class Counting:
    """An attention processor that notes that it was asked."""

    calls = 0

    def __init__(self, real: Any) -> None:
        self._real = real

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        Counting.calls += 1
        return self._real(*arguments, **options)


def test_a_layer_of_another_kind_stays_as_it_is() -> None:
    shifting = ResnetBlock2D(
        in_channels=8, temb_channels=8, groups=4, time_embedding_norm="scale_shift"
    )
    halving = ResnetBlock2D(in_channels=8, temb_channels=8, groups=4, output_scale_factor=2.0)
    discrete = Transformer2DModel(
        num_attention_heads=1, attention_head_dim=8, in_channels=8, norm_num_groups=4,
        cross_attention_dim=8, activation_fn="gelu",
    )  # fmt: skip
    for module in (shifting, halving, discrete):
        kind = type(module)
        use_lean_layers(module)
        assert type(module) is kind


def test_a_subject_is_learnt_on_lean_packed_and_fused_layers_and_leaves_none(
    sd15: BaseModel, pictures: list[Image.Image], tmp_path: Path
) -> None:
    def kinds() -> set[type]:
        return {type(module) for network in sd15.modules() for module in network.modules()}

    before = kinds()
    assert {LeanResnetBlock, LeanTransformer} <= before
    request = standalone_training.benchmark_request(
        "imp", pictures, overrides=TrainingOverrides(training_steps=1)
    )
    with standalone_training.standalone_session(sd15, request, pictures, tmp_path) as session:
        list(session.trainer.steps())
        assert kinds() - before >= {FusedLoraLinear, PackedConv2d}
    assert kinds() == before
