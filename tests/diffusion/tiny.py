"""Base models of the true architectures with tiny random weights, as folders in diffusers'
layout.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
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
    ViTConfig,
    ViTModel,
)

from sprite_training.sprite32.tiles import TileSet
from sprite_training.sprite32.tokenizer import build_tokenizer

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


def _vision_config(image_size: int = 64) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=_WIDTH,
        intermediate_size=2 * _WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
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
