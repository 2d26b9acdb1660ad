"""SD 1.5 and SDXL as they really are built, layer by layer, from the config files of the package,
but a few numbers wide.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from modelsheet.base_models.locate import CHECKPOINT_CONFIGS

FIRST_WIDTH, SECOND_WIDTH = 16, 24
_UNET: dict[str, dict[str, Any]] = {
    "sd15": {
        "block_out_channels": [8, 16, 16, 16],
        "cross_attention_dim": FIRST_WIDTH,
        "norm_num_groups": 4,
        "sample_size": 8,
    },
    "sdxl": {
        "block_out_channels": [8, 16, 16],
        "attention_head_dim": [1, 2, 2],
        "cross_attention_dim": FIRST_WIDTH + SECOND_WIDTH,
        "norm_num_groups": 4,
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": SECOND_WIDTH + 6 * 8,
        "sample_size": 8,
    },
}


def config(family: str, part: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(
        (CHECKPOINT_CONFIGS / family / part / "config.json").read_text()
    )
    return content


def narrow_unet(family: str) -> dict[str, Any]:
    return {**config(family, "unet"), **_UNET[family]}


def write_model(family: str, folder: Path, tokenizer: CLIPTokenizer, seed: int = 1) -> Path:
    """Write a whole model with random weights to a folder in diffusers' layout."""
    make_pipeline(family, tokenizer, seed).save_pretrained(folder)
    return folder


def make_pipeline(family: str, tokenizer: CLIPTokenizer, seed: int = 1) -> Any:
    torch.manual_seed(seed)
    vae = {"block_out_channels": [8, 8, 8, 8], "norm_num_groups": 4, "sample_size": 64}
    parts: dict[str, Any] = {
        "unet": UNet2DConditionModel.from_config(narrow_unet(family)),
        "vae": AutoencoderKL.from_config({**config(family, "vae"), **vae}),
        "text_encoder": CLIPTextModel(_text(family, "text_encoder", FIRST_WIDTH, tokenizer)),
        "tokenizer": tokenizer,
        "feature_extractor": None,
    }
    settings = json.loads(
        (CHECKPOINT_CONFIGS / family / "scheduler" / "scheduler_config.json").read_text()
    )
    if family == "sd15":
        scheduler = DDIMScheduler.from_config(settings)
        return StableDiffusionPipeline(
            **parts, scheduler=scheduler, safety_checker=None, requires_safety_checker=False
        )
    second = CLIPTextModelWithProjection(_text(family, "text_encoder_2", SECOND_WIDTH, tokenizer))
    scheduler = EulerDiscreteScheduler.from_config(settings)
    filling = copy.deepcopy(tokenizer)
    filling.pad_token = "!"
    return StableDiffusionXLPipeline(
        **parts, text_encoder_2=second, tokenizer_2=filling, scheduler=scheduler
    )


def _text(family: str, part: str, width: int, tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    narrow = {
        "hidden_size": width,
        "intermediate_size": 2 * width,
        "num_attention_heads": 2,
        "projection_dim": width,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": tokenizer.model_max_length,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    return CLIPTextConfig(**{**config(family, part), **narrow})
