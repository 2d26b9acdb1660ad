"""Plain LoRA as each program writes them, many layers in one file: every layer's ΔW is the one that
was meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import pytest
import torch
from safetensors.torch import save

from modelsheet.api.types import Family
from modelsheet.lora.key_mapping import KeyLayout, make_key_layout
from modelsheet.lora.layer_shapes import LayerKey, LayerShape
from modelsheet.lora.reader import read_lora
from tests.base_models.true_architecture import FIRST_WIDTH, SECOND_WIDTH, config, narrow_unet

RANK = 4
UNET = (
    "mid_block.attentions.0.proj_in",
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_q",
    "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "mid_block.attentions.0.transformer_blocks.0.attn2.to_k",
    "mid_block.attentions.0.transformer_blocks.0.ff.net.0.proj",
)
CONVOLUTIONS = ("conv_in", "mid_block.resnets.0.conv1", "time_embedding.linear_1")
# The original UNet's names of the same layers, by hand.
ORIGINAL = {
    "mid_block.attentions": "middle_block",
    "conv_in": "input_blocks.0.0",
    "mid_block.resnets.0.conv1": "middle_block.0.in_layers.2",
    "time_embedding.linear_1": "time_embed.0",
}
TEXT = ("encoder.layers.1.self_attn.q_proj", "encoder.layers.1.mlp.fc1")
Tensors = dict[str, torch.Tensor]
Layers = Mapping[LayerKey, LayerShape]


@cache
def narrow_layout(family: Family) -> KeyLayout:
    texts = [
        {**config(family, part), "hidden_size": width, "intermediate_size": 2 * width}
        | {"projection_dim": width}
        for part, width in (("text_encoder", FIRST_WIDTH), ("text_encoder_2", SECOND_WIDTH))
        if family == "sdxl" or part == "text_encoder"
    ]
    return make_key_layout(family, narrow_unet(family), *texts)


def layers(family: Family, *kinds: str) -> Layers:
    wanted = [LayerKey("unet", path) for path in UNET]
    if "convolutions" in kinds:
        wanted += [LayerKey("unet", path) for path in CONVOLUTIONS]
    if "text" in kinds:
        wanted += [LayerKey("text_encoder", path) for path in TEXT]
        if family == "sdxl":
            wanted += [LayerKey("text_encoder_2", path) for path in (*TEXT, "text_projection")]
    if "text alone" in kinds:
        wanted = [LayerKey("text_encoder", path) for path in TEXT]
    return {key: narrow_layout(family).shapes[key] for key in wanted}


@dataclass(frozen=True)
class Factors:
    """Random factors of a layer, with convolutions' kernels as trainers write them."""

    key: LayerKey
    shape: LayerShape
    rank: int = RANK

    def _random(self, *shape: int) -> torch.Tensor:
        seed = sum(map(ord, f"{self.key}{shape}"))
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) / 8

    @property
    def up(self) -> torch.Tensor:
        up = self._random(self.shape.rows, self.rank)
        return up[:, :, None, None] if self.shape.kernel else up

    @property
    def down(self) -> torch.Tensor:
        kernel = (self.shape.kernel,) * 2 if self.shape.kernel else ()
        return self._random(self.rank, self.shape.columns, *kernel)


def text_path(path: str) -> str:
    return path if path == "text_projection" else f"text_model.{path}"


def original(path: str) -> str:
    if path.startswith("mid_block.attentions.0."):
        return path.replace("mid_block.attentions.0.", "middle_block.1.")
    return ORIGINAL[path]


def kohya(family: Family, key: LayerKey, *, is_original: bool | None = None) -> str:
    if key.component == "unet":
        takes_original = family == "sdxl" if is_original is None else is_original
        path = original(key.path) if takes_original else key.path
        return "lora_unet_" + path.replace(".", "_")
    first = "lora_te1_" if family == "sdxl" else "lora_te_"
    prefix = first if key.component == "text_encoder" else "lora_te2_"
    return prefix + text_path(key.path).replace(".", "_")


def diffusers(_: Family, key: LayerKey, *, has_inner_model: bool = True) -> str:
    path = text_path(key.path) if key.component != "unet" and has_inner_model else key.path
    return f"{key.component}.{path}"


def comfyui(_: Family, key: LayerKey) -> str:
    if key.component == "unet":
        return f"diffusion_model.{original(key.path)}"
    which = "clip_l" if key.component == "text_encoder" else "clip_g"
    return f"text_encoders.{which}.transformer.{text_path(key.path)}"


def old_processor(key: LayerKey) -> str:
    """Name a layer as diffusers 0.14 to 0.17 do, for which attention processors held the LoRA."""
    stem, _, layer = key.path.replace(".to_out.0", ".to_out").rpartition(".")
    return f"{stem}.processor.{layer}_lora"


def old_text(key: LayerKey) -> str:
    """Name a text encoder's layer as diffusers 0.17 does."""
    names = {"q_proj": "to_q_lora", "out_proj": "to_out_lora"}
    stem, _, layer = text_path(key.path).rpartition(".")
    return f"text_encoder.{stem}.{names[layer]}"


Name = Callable[[Family, LayerKey], str]
ENDINGS = {
    "kohya": ("lora_up.weight", "lora_down.weight"),
    "peft": ("lora_B.weight", "lora_A.weight"),
    "default": ("lora_B.default.weight", "lora_A.default.weight"),
    "linear layer": ("lora_linear_layer.up.weight", "lora_linear_layer.down.weight"),
    "lora": ("lora.up.weight", "lora.down.weight"),
    "plain": ("up.weight", "down.weight"),
}


@dataclass(frozen=True)
class Shape:
    """How a program writes its files."""

    name: Name = kohya
    endings: str = "kohya"
    kinds: tuple[str, ...] = ("text",)
    alpha: float | None = 2.0
    alpha_type: torch.dtype = torch.float32
    alpha_shape: tuple[int, ...] = ()
    dtype: torch.dtype = torch.float32
    layer: Callable[[LayerKey], bool] = lambda key: True
    rank: Callable[[LayerKey], int] = lambda key: RANK
    flat: bool = False  # convolutions as matrices
    metadata: Mapping[str, str] | None = None
    scale: float | None = None  # of what the metadata says; else alpha / rank

    def factors(self, family: Family) -> Iterator[Factors]:
        for key, shape in layers(family, *self.kinds).items():
            if self.layer(key):
                yield Factors(key, shape, self.rank(key))

    def tensors(self, family: Family) -> Tensors:
        found: Tensors = {}
        up_ending, down_ending = ENDINGS[self.endings]
        for each in self.factors(family):
            name = self.name(family, each.key)
            up, down = each.up, each.down
            if self.flat:
                up, down = up.flatten(1), down.flatten(1)
            found[f"{name}.{up_ending}"] = up.to(self.dtype).contiguous()
            found[f"{name}.{down_ending}"] = down.to(self.dtype).contiguous()
            if self.alpha is not None:
                value = torch.full(self.alpha_shape, self.alpha).to(self.alpha_type)
                found[f"{name}.alpha"] = value
        if self.endings == "plain":  # those names end in "_lora" themselves
            return {key.replace("_lora.alpha", ".alpha"): value for key, value in found.items()}
        return found

    def meant(self, family: Family) -> dict[LayerKey, torch.Tensor]:
        updates = {}
        for each in self.factors(family):
            up = each.up.to(self.dtype).float().flatten(1)
            down = each.down.to(self.dtype).float().flatten(1)
            scale = self.alpha / each.rank if self.alpha else 1.0
            updates[each.key] = up @ down * (scale if self.scale is None else self.scale)
        return updates


def peft_settings(**settings: object) -> dict[str, str]:
    parts = ("unet", "text_encoder", "text_encoder_2")
    both = {f"{part}.{key}": value for part in parts for key, value in settings.items()}
    return {"lora_adapter_metadata": json.dumps(both)}


def in_unet(key: LayerKey) -> bool:
    return key.component == "unet"


def in_attention(key: LayerKey) -> bool:
    return ".attn" in key.path


PEFT = {"name": diffusers, "endings": "peft", "alpha": None}
SHAPES: dict[str, Shape] = {
    "kohya fp32": Shape(),
    "kohya fp16": Shape(dtype=torch.float16, alpha_type=torch.float16),
    "kohya bf16": Shape(dtype=torch.bfloat16, alpha_type=torch.bfloat16),
    "kohya fp64": Shape(dtype=torch.float64),
    "kohya fp8 e4m3": Shape(dtype=torch.float8_e4m3fn),
    "kohya fp8 e5m2": Shape(dtype=torch.float8_e5m2),
    "kohya no alpha": Shape(alpha=None),
    "kohya alpha 0": Shape(alpha=0.0),
    "kohya alpha negative": Shape(alpha=-2.0),
    "kohya alpha of one number": Shape(alpha_shape=(1,)),
    "kohya alpha int64": Shape(alpha_type=torch.int64),
    "kohya alpha uint8": Shape(alpha_type=torch.uint8),
    "kohya UNet alone": Shape(kinds=()),
    "kohya rank by layer": Shape(rank=lambda key: 1 + len(key.path) % 5),
    "kohya rank 1": Shape(rank=lambda key: 1),
    "kohya convolutions": Shape(kinds=("text", "convolutions")),
    "kohya convolutions as matrices": Shape(kinds=("convolutions",), flat=True),
    "kohya original names": Shape(lambda family, key: kohya(family, key, is_original=True)),
    "kohya diffusers' names": Shape(lambda family, key: kohya(family, key, is_original=False)),
    "kohya long metadata": Shape(metadata={"ss_tag_frequency": "x" * 500_000}),
    "kohya names its text encoder te1": Shape(
        lambda family, key: kohya(family, key).replace("lora_te_", "lora_te1_")
    ),
    "lycoris-lora": Shape(
        lambda family, key: kohya(family, key, is_original=False).replace("lora_unet_", "lycoris_"),
        kinds=("convolutions",),
    ),
    "a text encoder alone": Shape(kinds=("text alone",)),
    "comfyui trained": Shape(comfyui, kinds=("text", "convolutions")),
    "comfyui extracted": Shape(comfyui, alpha=None),
    "comfyui of peft": Shape(comfyui, "peft"),
    "onetrainer original": Shape(
        lambda family, key: (
            comfyui(family, key).replace("diffusion_model.", "").replace("text_encoders.", "")
        )
    ),
    "diffusers": Shape(**PEFT),
    "diffusers with transformers 5": Shape(
        lambda family, key: diffusers(family, key, has_inner_model=False), "peft", alpha=None
    ),
    "diffusers with the adapter's name": Shape(diffusers, "default", alpha=None),
    "diffusers 0.20": Shape(diffusers, "linear layer", alpha=None),
    "diffusers 0.22": Shape(diffusers, "lora", alpha=None),
    "diffusers with kohya's alpha": Shape(diffusers, "peft"),
    "diffusers 0.15": Shape(
        lambda _, key: old_processor(key), "plain", kinds=(), layer=in_attention, alpha=None
    ),
    "diffusers 0.17": Shape(
        lambda _, key: f"unet.{old_processor(key)}" if in_unet(key) else old_text(key),
        "plain",
        layer=lambda key: (
            in_attention(key) or (key.component == "text_encoder" and ".self_attn." in key.path)
        ),
        alpha=None,
    ),
    "diffusers' settings": Shape(
        **PEFT, metadata=peft_settings(r=RANK, lora_alpha=2), scale=2 / RANK
    ),
    "diffusers' settings with rsLoRA": Shape(
        **PEFT, metadata=peft_settings(r=RANK, lora_alpha=2, use_rslora=True), scale=1.0
    ),
    "diffusers' settings by a pattern": Shape(
        **PEFT,
        metadata=peft_settings(r=RANK, lora_alpha=2, alpha_pattern={".*": 8}),
        scale=8 / RANK,
    ),
    "peft": Shape(lambda _, key: f"base_model.model.{key.path}", "peft", layer=in_unet, alpha=None),
}


@pytest.mark.parametrize("family", ["sd15", "sdxl"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_every_layer_changes_as_was_meant(shape: Shape, family: Family) -> None:
    content = save(shape.tensors(family), dict(shape.metadata or {}))

    factors = read_lora(content, narrow_layout(family), "file.safetensors").factors

    meant = shape.meant(family)
    assert factors.keys() == meant.keys()
    for key, each in factors.items():
        read = torch.from_numpy(each.up @ each.down)
        torch.testing.assert_close(read, meant[key], rtol=1e-5, atol=1e-6)
