"""Load a LoRA file by kohya's sd-scripts."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modelsheet_benchmarks.interop.base_modules import config
from modelsheet_benchmarks.interop.loaded import Loaded, LoraToLoad
from modelsheet_benchmarks.interop.stub_modules import stub_modules


def load(program: Path, lora: LoraToLoad) -> Loaded:
    """Load by `create_network_from_weights` and `load_weights`; ΔW by `get_weight`."""
    sys.path.insert(0, str(program))
    stub_modules("torchvision", "cv2", "einops")
    networks = importlib.import_module("networks.lora")
    encoders = _text_encoders(lora.family)
    unet = _unet(lora.family)
    network, _ = networks.create_network_from_weights(
        1.0, str(lora.file), None, encoders, unet, for_inference=True
    )
    network.apply_to(encoders, unet)
    info = network.load_weights(str(lora.file))
    unmatched = list(info.unexpected_keys)
    deltas = (
        (lora.layout.by_kohya_name[module.lora_name], module.get_weight())
        for module in [*network.text_encoder_loras, *network.unet_loras]
    )
    return Loaded(len(load_file(lora.file)) - len(unmatched), unmatched, deltas)


def _unet(family: str) -> nn.Module:
    with torch.device("meta"):
        if family == "sdxl":
            original = importlib.import_module("library.sdxl_original_unet")
            sdxl: nn.Module = original.SdxlUNet2DConditionModel()
            return sdxl
        unet: nn.Module = UNet2DConditionModel.from_config(config("sd15", "unet"))
        return unet


class _TextEncoder(nn.Module):
    """A text encoder with the inner module that kohya's names have, of any transformers."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.text_model = getattr(encoder, "text_model", encoder)


def _text_encoders(family: str) -> Any:
    with torch.device("meta"):
        if family != "sdxl":
            return _TextEncoder(CLIPTextModel(CLIPTextConfig(**config("sd15", "text_encoder"))))
        first = CLIPTextModel(CLIPTextConfig(**config("sdxl", "text_encoder")))
        second = CLIPTextModelWithProjection(CLIPTextConfig(**config("sdxl", "text_encoder_2")))
        return [_TextEncoder(first), _TextEncoder(second)]
