"""The names in exported files, against the key maps of ComfyUI (comfy/lora.py) and of kohya
(networks/lora.py), written down here by hand for the true sizes of SD 1.5 and SDXL.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from diffusers import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modelsheet.api.types import Family
from modelsheet.lora.key_mapping import KeyLayout, make_key_layout
from modelsheet.lora.layer_shapes import LayerKey, LayerShape, text_encoder_layers, unet_layers
from tests.base_models.true_architecture import config

BLOCK = [
    *(f"attn{which}_to_{what}" for which in (1, 2) for what in ("q", "k", "v", "out_0")),
    "ff_net_0_proj",
    "ff_net_2",
]
TEXT_BLOCK = [
    "mlp_fc1",
    "mlp_fc2",
    "self_attn_k_proj",
    "self_attn_out_proj",
    "self_attn_q_proj",
    "self_attn_v_proj",
]
# (name of the transformer, how many blocks it has)
SD15 = [
    *((f"down_blocks_{level}_attentions_{layer}", 1) for level in range(3) for layer in range(2)),
    ("mid_block_attentions_0", 1),
    *((f"up_blocks_{level}_attentions_{layer}", 1) for level in (1, 2, 3) for layer in range(3)),
]
SDXL = [
    ("input_blocks_4_1", 2),
    ("input_blocks_5_1", 2),
    ("input_blocks_7_1", 10),
    ("input_blocks_8_1", 10),
    ("middle_block_1", 10),
    ("output_blocks_0_1", 10),
    ("output_blocks_1_1", 10),
    ("output_blocks_2_1", 10),
    ("output_blocks_3_1", 2),
    ("output_blocks_4_1", 2),
    ("output_blocks_5_1", 2),
]


def true_layout(family: Family) -> KeyLayout:
    second = config(family, "text_encoder_2") if family == "sdxl" else None
    return make_key_layout(family, config(family, "unet"), config(family, "text_encoder"), second)


def transformer_names(transformers: list[tuple[str, int]]) -> Iterator[str]:
    for transformer, depth in transformers:
        yield from (f"lora_unet_{transformer}_{end}" for end in ("proj_in", "proj_out"))
        for index in range(depth):
            stem = f"lora_unet_{transformer}_transformer_blocks_{index}"
            yield from (f"{stem}_{name}" for name in BLOCK)


def text_names(prefix: str, layers: int) -> Iterator[str]:
    for layer in range(layers):
        stem = f"{prefix}_text_model_encoder_layers_{layer}"
        yield from (f"{stem}_{name}" for name in TEXT_BLOCK)


EXPECTED = {
    "sd15": {*transformer_names(SD15), *text_names("lora_te", 12)},
    "sdxl": {
        *transformer_names(SDXL),
        *text_names("lora_te1", 12),
        *text_names("lora_te2", 32),
    },
}


def is_in_transformer(layer_key: LayerKey) -> bool:
    if layer_key.path == "text_projection":
        return False
    return layer_key.component != "unet" or ".attentions." in layer_key.path


@pytest.mark.parametrize(("family", "count"), [("sd15", 192 + 72), ("sdxl", 722 + 72 + 192)])
def test_attention_layers_have_the_names_that_kohya_and_comfyui_know(
    family: Family, count: int
) -> None:
    layout = true_layout(family)

    names = {
        layout.kohya_name(layer_key) for layer_key in layout.shapes if is_in_transformer(layer_key)
    }

    assert len(names) == count
    assert names == EXPECTED[family]


@pytest.mark.parametrize(
    ("family", "path", "name"),
    [
        ("sd15", "down_blocks.0.resnets.1.conv2", "down_blocks_0_resnets_1_conv2"),
        ("sd15", "up_blocks.3.resnets.2.conv_shortcut", "up_blocks_3_resnets_2_conv_shortcut"),
        ("sdxl", "conv_in", "input_blocks_0_0"),
        ("sdxl", "conv_out", "out_2"),
        ("sdxl", "time_embedding.linear_2", "time_embed_2"),
        ("sdxl", "add_embedding.linear_1", "label_emb_0_0"),
        ("sdxl", "down_blocks.0.resnets.0.conv1", "input_blocks_1_0_in_layers_2"),
        ("sdxl", "down_blocks.0.downsamplers.0.conv", "input_blocks_3_0_op"),
        ("sdxl", "down_blocks.1.resnets.0.conv_shortcut", "input_blocks_4_0_skip_connection"),
        ("sdxl", "mid_block.resnets.1.time_emb_proj", "middle_block_2_emb_layers_1"),
        ("sdxl", "up_blocks.0.upsamplers.0.conv", "output_blocks_2_2_conv"),
        ("sdxl", "up_blocks.2.resnets.2.conv2", "output_blocks_8_0_out_layers_3"),
    ],
)
def test_other_layers_have_the_names_of_their_unet(family: Family, path: str, name: str) -> None:
    assert true_layout(family).kohya_name(LayerKey("unet", path)) == f"lora_unet_{name}"


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("lora_unet_down_blocks_1_attentions_0_proj_in", "down_blocks.1.attentions.0.proj_in"),
        ("unet.mid_block.attentions.0.proj_out", "mid_block.attentions.0.proj_out"),
        ("base_model.model.mid_block.attentions.0.proj_out", "mid_block.attentions.0.proj_out"),
        ("lycoris_down_blocks_1_attentions_0_proj_in", "down_blocks.1.attentions.0.proj_in"),
        ("diffusion_model.input_blocks.4.1.proj_in", "down_blocks.1.attentions.0.proj_in"),
        ("model.diffusion_model.middle_block.1.proj_out", "mid_block.attentions.0.proj_out"),
        ("middle_block.1.proj_out", "mid_block.attentions.0.proj_out"),
        (
            "mid_block.attentions.0.transformer_blocks.0.attn1.processor.to_out",
            "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
        ),
    ],
)
def test_a_layer_is_found_by_each_of_its_names(name: str, path: str) -> None:
    assert true_layout("sdxl").find(name) == LayerKey("unet", path)


def test_text_encoders_are_found_with_and_without_their_inner_model() -> None:
    layout, layer_key = true_layout("sdxl"), LayerKey("text_encoder_2", "encoder.layers.31.mlp.fc1")

    assert layout.find("text_encoder_2.text_model.encoder.layers.31.mlp.fc1") == layer_key
    assert layout.find("text_encoder_2.encoder.layers.31.mlp.fc1") == layer_key
    assert layout.find("lora_te2_text_model_encoder_layers_31_mlp_fc1") == layer_key
    assert layout.find("clip_g.transformer.text_model.encoder.layers.31.mlp.fc1") == layer_key
    assert (
        layout.find("text_encoders.clip_g.transformer.text_model.encoder.layers.31.mlp.fc1")
        == layer_key
    )
    assert layout.find("lora_te3_text_model_encoder_layers_31_mlp_fc1") is None


def test_peft_names_a_text_encoder_by_its_width_alone() -> None:
    layout, name = true_layout("sdxl"), "base_model.model.text_model.encoder.layers.3.mlp.fc1"

    assert layout.find(name, 768) == LayerKey("text_encoder", "encoder.layers.3.mlp.fc1")
    assert layout.find(name, 1280) == LayerKey("text_encoder_2", "encoder.layers.3.mlp.fc1")
    assert layout.find(name, 1024) is None


@pytest.mark.parametrize(
    "name",
    [
        "lora_te2_text_projection",
        "text_encoder_2.text_projection",
        "clip_g.transformer.text_projection",
    ],
)
def test_the_second_text_encoders_projection_is_found(name: str) -> None:
    layout = true_layout("sdxl")
    layer_key = LayerKey("text_encoder_2", "text_projection")

    assert layout.find(name) == layer_key
    assert layout.kohya_name(layer_key) == "lora_te2_text_projection"
    assert true_layout("sd15").find("text_encoder.text_projection") is None


def weights_of(module: torch.nn.Module, component: str) -> dict[LayerKey, LayerShape]:
    found = {}
    for path, layer in module.named_modules():
        if isinstance(layer, torch.nn.Linear | torch.nn.Conv2d):
            kernel = layer.kernel_size[0] if isinstance(layer, torch.nn.Conv2d) else 0
            rows, columns = layer.weight.shape[:2]
            layer_key = LayerKey(component, path.removeprefix("text_model."))
            found[layer_key] = LayerShape(rows, columns, kernel)
    return found


@pytest.mark.parametrize(("family", "parameters"), [("sd15", 859_520_964), ("sdxl", 2_567_463_684)])
def test_the_config_files_describe_the_true_unets(family: Family, parameters: int) -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config(family, "unet"))

    assert sum(p.numel() for p in unet.parameters()) == parameters
    assert weights_of(unet, "unet") == unet_layers(config(family, "unet"))


def test_layers_of_a_distilled_unet_are_those_of_its_config() -> None:
    distilled = {  # as SSD-1B's
        **config("sdxl", "unet"),
        "transformer_layers_per_block": [1, [2, 2], [4, 4]],
        "reverse_transformer_layers_per_block": [[4, 4, 10], [2, 1, 1], 1],
        "mid_block_type": "UNetMidBlock2D",
    }
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(distilled)

    assert weights_of(unet, "unet") == unet_layers(distilled)


@pytest.mark.parametrize(
    ("family", "part", "parameters"),
    # As published: CLIP ViT-L/14's text tower, and OpenCLIP ViT-bigG/14's.
    [
        ("sd15", "text_encoder", 123_060_480),
        ("sdxl", "text_encoder", 123_060_480),
        ("sdxl", "text_encoder_2", 694_659_840),
    ],
)
def test_the_config_files_describe_the_true_text_encoders(
    family: Family, part: str, parameters: int
) -> None:
    with torch.device("meta"):
        kind = CLIPTextModelWithProjection if part == "text_encoder_2" else CLIPTextModel
        encoder = kind(CLIPTextConfig(**config(family, part)))

    assert sum(p.numel() for p in encoder.parameters()) == parameters
    assert weights_of(encoder, part) == text_encoder_layers(part, config(family, part))
