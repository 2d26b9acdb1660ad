"""Base models of the true architectures with tiny random weights, as folders in diffusers'
layout.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderKLFlux2,
    DDIMScheduler,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import save_file
from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    Qwen2TokenizerFast,
    Qwen3Config,
    Qwen3ForCausalLM,
    ViTConfig,
    ViTModel,
)
from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer

# Qwen3's special tokens, in the order of their ids.
QWEN_TOKENS = [
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
]
_WIDTH = 16
_SIDE = 8  # latents; the autoencoder makes 64 px of them


def write_sd15(
    folder: Path,
    tiles: TileSet,
    *,
    prediction_type: str = "epsilon",
    zero_snr: bool = False,
    has_eyes: bool = True,
) -> None:
    """Stable Diffusion 1.5: four levels, attention on the upper three, one CLIP text encoder."""
    torch.manual_seed(1)
    tokenizer = build_tokenizer(tiles, 400, folder.with_name("tokenizer"))
    pipeline = StableDiffusionPipeline(
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=_SIDE,
            block_out_channels=(8, 16, 16, 16),
            layers_per_block=1,
            cross_attention_dim=_WIDTH,
            attention_head_dim=2,
            norm_num_groups=4,
        ),
        scheduler=_scheduler(prediction_type, zero_snr=zero_snr),
        image_encoder=CLIPVisionModelWithProjection(_vision_config()) if has_eyes else None,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.save_pretrained(folder)


def write_sdxl(folder: Path, tiles: TileSet) -> None:
    """SDXL: three levels, two text encoders, size conditioning; an image encoder for likeness."""
    torch.manual_seed(2)
    tokenizer = build_tokenizer(tiles, 400, folder.with_name("tokenizer"))
    unet = UNet2DConditionModel(
        sample_size=_SIDE,
        block_out_channels=(8, 16, 16),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        cross_attention_dim=2 * _WIDTH,
        attention_head_dim=2,
        norm_num_groups=4,
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + _WIDTH,
    )
    pipeline = StableDiffusionXLPipeline(
        vae=_autoencoder(),
        text_encoder=CLIPTextModel(_text_config(tokenizer)),
        text_encoder_2=CLIPTextModelWithProjection(_text_config(tokenizer)),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=unet,
        scheduler=_scheduler("epsilon"),
        image_encoder=CLIPVisionModelWithProjection(_vision_config()),
        feature_extractor=None,
    )
    pipeline.save_pretrained(folder)


def write_klein(folder: Path, *, is_distilled: bool = False) -> None:
    """FLUX.2 klein: two double and two single blocks, a Qwen3 of as many layers as are read."""
    torch.manual_seed(5)
    tokenizer = _qwen_tokenizer()
    text_encoder = Qwen3ForCausalLM(
        Qwen3Config(
            vocab_size=len(tokenizer),
            hidden_size=_WIDTH,
            intermediate_size=2 * _WIDTH,
            num_hidden_layers=30,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=8,
            tie_word_embeddings=True,
            initializer_range=0.5,
        )
    )
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        latent_channels=4,
        sample_size=128,
    )
    vae.bn.running_mean.copy_(torch.randn(16))
    vae.bn.running_var.copy_(torch.rand(16) + 0.5)
    pipeline = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae,
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=2,
            num_single_layers=2,
            attention_head_dim=8,
            num_attention_heads=2,
            joint_attention_dim=3 * _WIDTH,
            axes_dims_rope=(2, 2, 2, 2),
            timestep_guidance_channels=16,
            guidance_embeds=False,
        ),
        is_distilled=is_distilled,
    )
    pipeline.save_pretrained(folder)


def write_clip(folder: Path, tokenizer_folder: Path) -> None:
    """OpenAI's CLIP as it stands beside Stable Diffusion, in transformers' own layout."""
    torch.manual_seed(3)
    tokenizer = CLIPTokenizer.from_pretrained(tokenizer_folder)
    vision = _vision_config(image_size=32)
    config = CLIPConfig(
        text_config=_text_config(tokenizer).to_dict(),
        vision_config=vision.to_dict(),
        projection_dim=_WIDTH,
    )
    CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def write_dino(folder: Path) -> None:
    """A vision transformer of DINO's kind, which sees 224 px."""
    torch.manual_seed(4)
    config = ViTConfig(
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=224,
        patch_size=32,
    )
    ViTModel(config).save_pretrained(folder)


def write_image_encoder(folder: Path) -> Path:
    """The image encoder of IP-Adapters, in one file as ComfyUI has it; its config beside it."""
    torch.manual_seed(6)
    config = _vision_config(heads=16)
    config.hidden_act = "gelu"  # OpenCLIP's
    CLIPVisionModelWithProjection(config).save_pretrained(folder)
    return folder / "model.safetensors"


def write_ip_adapter(
    folder: Path, unet: Any, encoder: Path, *, plus: bool, name: str = "ip-adapter"
) -> Path:
    """An IP-Adapter as it is published: of four tokens a picture or, `plus`, of a resampler."""
    torch.manual_seed(7)
    width = unet.config.cross_attention_dim
    seen = CLIPVisionModelWithProjection.from_pretrained(encoder.parent).config
    weights = _resampler(seen.hidden_size, width) if plus else _projection(seen, width)
    for number, key in enumerate(sorted_attentions(unet)):
        rows = unet.get_submodule(key).to_q.weight.shape[0]
        for part in ("to_k_ip", "to_v_ip"):
            weights[f"ip_adapter.{2 * number + 1}.{part}.weight"] = torch.randn(rows, width)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / f"{name}.safetensors")
    return folder / f"{name}.safetensors"


def sorted_attentions(unet: Any) -> list[str]:
    """The cross-attentions in the order in which adapters count them."""
    names = [name.removesuffix(".processor") for name in unet.attn_processors]
    return [name for name in names if name.endswith("attn2")]


def _projection(seen: CLIPVisionConfig, width: int) -> dict[str, torch.Tensor]:
    return {
        "image_proj.proj.weight": torch.randn(4 * width, seen.projection_dim),
        "image_proj.proj.bias": torch.randn(4 * width),
        "image_proj.norm.weight": torch.ones(width),
        "image_proj.norm.bias": torch.zeros(width),
    }


def _resampler(seen: int, width: int) -> dict[str, torch.Tensor]:
    """Four layers of one head; 64 channels, as diffusers splits them into heads of 64."""
    inner = 64
    weights = {
        "latents": torch.randn(1, 3, inner),
        "proj_in.weight": torch.randn(inner, seen),
        "proj_in.bias": torch.randn(inner),
        "proj_out.weight": torch.randn(width, inner),
        "proj_out.bias": torch.randn(width),
        "norm_out.weight": torch.ones(width),
        "norm_out.bias": torch.zeros(width),
    }
    for layer in range(4):
        attention, feed_forward = f"layers.{layer}.0", f"layers.{layer}.1"
        for norm in (f"{attention}.norm1", f"{attention}.norm2", f"{feed_forward}.0"):
            weights[f"{norm}.weight"] = torch.ones(inner)
            weights[f"{norm}.bias"] = torch.zeros(inner)
        weights[f"{attention}.to_q.weight"] = torch.randn(inner, inner) / 8
        weights[f"{attention}.to_kv.weight"] = torch.randn(2 * inner, inner) / 8
        weights[f"{attention}.to_out.weight"] = torch.randn(inner, inner) / 8
        weights[f"{feed_forward}.1.weight"] = torch.randn(4 * inner, inner) / 8
        weights[f"{feed_forward}.3.weight"] = torch.randn(inner, 4 * inner) / 16
    return {f"image_proj.{key}": value for key, value in weights.items()}


def _autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8, 8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        sample_size=64,
    )


def _text_config(tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=tokenizer.model_max_length,
        projection_dim=_WIDTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _vision_config(image_size: int = 64, heads: int = 2) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=1,
        num_attention_heads=heads,
        image_size=image_size,
        patch_size=16,
        projection_dim=_WIDTH,
    )


def _scheduler(prediction_type: str, *, zero_snr: bool = False) -> DDIMScheduler:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type=prediction_type,
        rescale_betas_zero_snr=zero_snr,
        timestep_spacing="trailing" if zero_snr else "leading",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def _qwen_tokenizer() -> Qwen2TokenizerFast:
    """Bytes, the words of the tests, and short ones without a meaning."""
    rng = random.Random(0)
    rare = ["".join(rng.choices("bcdfghjkqvwxz", k=4)) for _ in range(80)]
    words = "a photo of the cat imp slime bat person in snow red on plain white background garden"
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=1200,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )
    tokenizer.train_from_iterator([f" {word}" for word in [*words.split() * 3, *rare * 2]], trainer)
    tokenizer.add_special_tokens(QWEN_TOKENS)  # behind the vocabulary, as the true ones
    fast = Qwen2TokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
    )
    fast.chat_template = (
        "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}"
        "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
        "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}{% endif %}"
    )
    return fast
