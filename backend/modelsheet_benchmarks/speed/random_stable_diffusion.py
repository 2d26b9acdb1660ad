"""Make Stable Diffusions of their true size with random weights; nothing is downloaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from modelsheet.base_models.locate import CHECKPOINT_CONFIGS, SPRITE32_WEIGHTS
from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion, prepare_base
from modelsheet.diffusion.models.base_model import BaseModel

_WINDOW = 77  # tokens
_LATENT_FACTOR = 8


def random_sd15(device: torch.device, dtype: torch.dtype, side: int = 512) -> BaseModel:
    """Make a Stable Diffusion 1.5 by its config files, for images of `side` px."""
    folder = CHECKPOINT_CONFIGS / "sd15"
    with device:
        text_encoder = _random_text_encoder(folder / "text_encoder", CLIPTextModel)
        unet, vae = _random_unet(folder, side), _random_autoencoder(folder)
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=text_encoder.to(dtype),
        tokenizer=_tokenizer(),
        unet=unet.to(dtype),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    return prepare_base(StableDiffusion("sd15", "sd15", pipeline, device, dtype))


def random_sdxl(device: torch.device, dtype: torch.dtype, side: int = 1024) -> BaseModel:
    """Make an SDXL by its config files, for images of `side` px."""
    folder = CHECKPOINT_CONFIGS / "sdxl"
    with device:
        first = _random_text_encoder(folder / "text_encoder", CLIPTextModel)
        second = _random_text_encoder(folder / "text_encoder_2", CLIPTextModelWithProjection)
        unet, vae = _random_unet(folder, side), _random_autoencoder(folder)
    pipeline = StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=first.to(dtype),
        text_encoder_2=second.to(dtype),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        unet=unet.to(dtype),
        scheduler=DDIMScheduler.from_pretrained(folder / "scheduler"),
    )
    return prepare_base(StableDiffusion("sdxl", "sdxl", pipeline, device, dtype))


def _random_unet(folder: Path, side: int) -> Any:
    torch.manual_seed(0)
    config = UNet2DConditionModel.load_config(folder / "unet")
    return UNet2DConditionModel.from_config(config, sample_size=side // _LATENT_FACTOR)


def _random_autoencoder(folder: Path) -> Any:
    return AutoencoderKL.from_config(AutoencoderKL.load_config(folder / "vae"))


def _random_text_encoder(folder: Path, kind: Any) -> Any:
    return kind(CLIPTextConfig(**json.loads((folder / "config.json").read_text("utf-8"))))


def _tokenizer() -> CLIPTokenizer:
    """Load sprite32's: its token ids are within the true vocabulary's, and their meaning does not
    matter here.
    """
    return CLIPTokenizer.from_pretrained(SPRITE32_WEIGHTS / "tokenizer", model_max_length=_WINDOW)
