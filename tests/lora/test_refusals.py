"""Files of other families, methods and kinds are refused by their own names."""

from __future__ import annotations

import numpy as np
import pytest

from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors
from modelsheet.lora.reader import read_lora
from tests.lora.test_key_mapping import true_layout

RANK = 4
# Names as their own trainers write them, with the fan-in of the layer.
FAMILIES = {
    "Flux": [
        ("lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight", 3072),
        ("lora_unet_single_blocks_3_linear1.lora_down.weight", 3072),
        ("transformer.single_transformer_blocks.0.attn.to_k.lora_A.weight", 3072),
        ("diffusion_model.double_blocks.0.img_attn.proj.lora_A.weight", 3072),
        ("double_blocks.0.processor.proj_lora1.down.weight", 3072),
        ("lora_transformer_single_transformer_blocks_0_attn_to_k.lora_down.weight", 3072),
        ("base_model.model.single_transformer_blocks.0.proj_mlp.lora_A.weight", 3072),
    ],
    "SD 3": [
        ("lora_unet_joint_blocks_0_x_block_attn_qkv.lora_down.weight", 1536),
        ("transformer.transformer_blocks.0.attn.to_q.lora_A.weight", 1536),
        ("transformer.transformer_blocks.0.attn.add_k_proj.lora_A.weight", 2432),
        ("lora_transformer_transformer_blocks_0_attn_to_q.lora_down.weight", 2432),
        ("diffusion_model.joint_blocks.0.context_block.attn.qkv.lora_A.weight", 2432),
    ],
    "SD 3 or Flux": [("lora_te3_encoder_block_0_layer_0_SelfAttention_k.lora_down.weight", 4096)],
    "SD 2": [
        (
            "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k.lora_down.weight",
            1024,
        ),
        ("lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight", 1024),
    ],
    "SDXL's refiner": [
        ("lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k.lora_down.weight", 1280)
    ],
    "Qwen-Image": [
        ("transformer_blocks.0.attn.to_k.lora_down.weight", 3072),
        ("diffusion_model.transformer_blocks.0.attn.to_k.lora_A.weight", 3072),
        ("transformer.transformer_blocks.59.attn.to_k.lora_A.weight", 3072),
        ("transformer.transformer_blocks.0.img_mlp.net.2.lora_A.weight", 12288),
        ("lora_unet_transformer_blocks_0_attn_add_k_proj.lora_down.weight", 3072),
    ],
    "Z-Image": [
        ("lora_unet_layers_0_attention_to_k.lora_down.weight", 3840),
        ("diffusion_model.layers.0.attention.to_q.lora_A.weight", 3840),
        ("diffusion_model.layers.0.attention.qkv.lora_A.weight", 3840),
        ("transformer.noise_refiner.0.attention.to_q.lora_A.weight", 3840),
    ],
    "Lumina": [("lora_unet_layers_0_attention_qkv.lora_down.weight", 2304)],
    "Wan": [
        ("lora_unet_blocks_0_self_attn_q.lora_down.weight", 5120),
        ("diffusion_model.blocks.0.cross_attn.k_img.lora_A.weight", 5120),
        ("lora_unet__blocks_0_cross_attn_k.lora_down.weight", 1536),
        ("diffusion_model.blocks.0.cross_attn.k.lora_A.weight", 5120),
        ("transformer.blocks.0.attn2.to_k.lora_A.weight", 1536),
    ],
    "Anima": [("diffusion_model.blocks.0.cross_attn.k_proj.lora_A.weight", 2048)],
    "LTX": [("diffusion_model.transformer_blocks.0.attn1.to_k.lora_A.weight", 2048)],
    "PixArt": [
        ("lora_transformer_transformer_blocks_0_attn1_to_k.lora_down.weight", 1152),
        ("diffusion_model.blocks.0.attn.qkv.lora_A.weight", 1152),
    ],
    "HiDream": [("transformer.double_stream_blocks.0.block.attn1.to_q.lora_A.weight", 2560)],
    "AuraFlow": [("transformer.joint_transformer_blocks.0.attn.to_q.lora_A.weight", 3072)],
    "Stable Cascade": [
        ("lora_unet_down_blocks_0_2_attention_attn_out_proj.lora_down.weight", 2048)
    ],
    "AnimateDiff": [
        (
            "down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0"
            ".attention_blocks.0.processor.to_q_lora.lora_A.weight",
            320,
        )
    ],
    "HunyuanVideo": [
        ("lora_unet_double_blocks_0_img_mlp_fc1.lora_down.weight", 3072),
        ("transformer.context_embedder.token_refiner.blocks.0.attn.to_q.lora_A.weight", 3072),
    ],
    "Chroma": [("lora_unet_distilled_guidance_layer_layers_0_in_layer.lora_down.weight", 5120)],
    "CogVideoX": [
        ("transformer.transformer_blocks.0.attn1.to_k.lora_A.weight", 1920),
        ("base_model.model.transformer_blocks.0.attn1.to_q.lora_A.weight", 3072),
    ],
    "Sana": [("transformer.transformer_blocks.0.attn1.to_q.lora_A.weight", 2240)],
    "Kandinsky": [
        ("diffusion_model.visual_transformer_blocks.0.cross_attention.to_key.lora_A.weight", 1792)
    ],
    "Stable Video Diffusion": [
        (
            "unet.down_blocks.0.attentions.0.temporal_transformer_blocks.0.attn1.to_k"
            ".lora_A.weight",
            320,
        )
    ],
}
SAID = {
    "hunyuan_video": "HunyuanVideo",
    "wan2.1": "Wan",
    "wan21:14b": "Wan",
    "lumina2": "Lumina",
    "krea2": "Krea 2",
    "sd_v2_v": "SD 2",
    "stable-diffusion-v2-768-v/lora": "SD 2",
    "stable-diffusion-3-medium/lora": "SD 3",
    "sd3": "SD 3",
    "flux1": "Flux",
    "flux-1-dev/lora": "Flux",
    "Z-Image/lora": "Z-Image",
    "zimage:turbo": "Z-Image",
    "qwen_image": "Qwen-Image",
    "hidream": "HiDream",
    "pixart_sigma": "PixArt",
    "auraflow": "AuraFlow",
    "newest_thing-9/lora": "newest thing-9",
}


def refused(keys: dict[str, tuple[int, ...]], base: str = "sd15", **metadata: str) -> str:
    tensors = {key: np.ones(shape, np.float32) for key, shape in keys.items()}
    with pytest.raises(UnsafeModel) as error:
        read_lora(encode_safetensors(tensors, metadata), true_layout(base), "file.safetensors")  # type: ignore[arg-type]
    return str(error.value)


@pytest.mark.parametrize(
    ("family", "key", "width"),
    [(family, key, width) for family, cases in FAMILIES.items() for key, width in cases],
)
@pytest.mark.parametrize("base", ["sd15", "sdxl"])
def test_a_family_is_named_by_its_layers(family: str, key: str, width: int, base: str) -> None:
    up = key.replace("down", "up") if "lora_down" in key else key.replace("lora_A", "lora_B")

    sentence = refused({key: (RANK, width), up: (width, RANK)}, base)

    assert f"was made for {family}, which Modelsheet cannot use" in sentence
    assert "can be used: sprite32, SD 1.5, SDXL, FLUX.2 klein." in sentence


@pytest.mark.parametrize("key", ["ss_base_model_version", "modelspec.architecture"])
@pytest.mark.parametrize(("said", "family"), SAID.items())
def test_a_family_is_named_by_what_the_file_says(key: str, said: str, family: str) -> None:
    sentence = refused({"lora_unet_cellar.lora_down.weight": (RANK, 9)}, **{key: said})

    assert f"was made for {family}, which" in sentence


@pytest.mark.parametrize("name", ["double_blocks", "joint_blocks", "transformer_blocks"])
def test_clips_lora_beside_it_does_not_hide_the_family(name: str) -> None:
    clip = "lora_te1_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight"

    sentence = refused(
        {clip: (RANK, 768), f"lora_unet_{name}_0_attn_to_q.lora_down.weight": (RANK, 3072)}
    )

    assert "which Modelsheet cannot use" in sentence


@pytest.mark.parametrize(
    ("key", "method"),
    [
        ("x.hada_w1_a", "a LoHa"),
        ("x.lokr_w1", "a LoKr"),
        ("oft_unet_mid.oft_blocks", "an OFT"),
        ("x.oft_R.weight", "an OFT"),
        ("x.dora_scale", "a DoRA"),
        ("x.lora_magnitude_vector", "a DoRA"),
        ("x.a1.weight", "a GLoRA"),
        ("x.w_norm", "a LyCORIS that changes norms"),
        ("x.b_norm", "a LyCORIS that changes norms"),
        ("x.diff", "a full difference of weights"),
        ("x.on_input", "an (IA)³"),
        ("x.lora_E", "an AdaLoRA"),
        ("x.vera_lambda_b", "a VeRA"),
    ],
)
def test_a_method_is_named_whichever_key_comes_first(key: str, method: str) -> None:
    for first in ("a.alpha", "z.alpha"):
        assert f"file.safetensors is {method}" in refused({first: (1,), key: (4, 4)})


@pytest.mark.parametrize(
    ("keys", "kind"),
    [
        ({"emb_params": (1, 768)}, "an embedding"),
        ({"clip_l": (4, 768), "clip_g": (4, 1280)}, "an embedding"),
        ({"<gfx>": (768,)}, "an embedding"),
        ({"control_model.input_blocks.0.0.weight": (2, 2)}, "a ControlNet"),
        ({"controlnet_cond_embedding.conv_in.weight": (2, 2), "conv_in.weight": (2, 2)}, "a Contr"),
        ({"decoder.conv_in.weight": (2, 2), "encoder.conv_in.weight": (2, 2)}, "an autoencoder"),
        ({"first_stage_model.decoder.conv_in.weight": (2, 2)}, "an autoencoder"),
        ({"ip_adapter.1.to_k_ip.weight": (2, 2), "image_proj.norm.weight": (2,)}, "an IP-Adapter"),
        (
            {"model.diffusion_model.out.2.weight": (2, 2), "first_stage_model.x": (2,)},
            "a whole model",
        ),
        ({"conv_in.weight": (2, 2), "down_blocks.0.resnets.0.conv1.weight": (2, 2)}, "a whole mod"),
        ({"double_blocks.0.img_attn.qkv.weight": (2, 2)}, "a whole model"),
        ({"text_model.embeddings.token_embedding.weight": (2, 2)}, "a text encoder"),
        ({"vision_model.embeddings.patch_embedding.weight": (2, 2)}, "an image encoder"),
    ],
)
def test_a_file_of_another_kind_is_named(keys: dict[str, tuple[int, ...]], kind: str) -> None:
    assert f"file.safetensors is {kind}" in refused(keys)
