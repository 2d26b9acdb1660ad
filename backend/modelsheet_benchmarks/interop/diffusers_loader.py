"""Load a LoRA file by the installed diffusers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2KleinPipeline, Flux2Transformer2DModel, UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin, StableDiffusionXLLoraLoaderMixin
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import load_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from modelsheet.lora.key_mapping import TRANSFORMER, KeyLayout
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet_benchmarks.interop.base_modules import config
from modelsheet_benchmarks.interop.loaded import Loaded, LoraToLoad

_INNER = "text_model."
_NAME = "exported"


def load(program: Path, lora: LoraToLoad) -> Loaded:
    """Load by `lora_state_dict` and `load_lora_into_…`; ΔW by peft's layers."""
    components = _components(lora)
    (_load_into_transformer if TRANSFORMER in components else _load_into_unet)(components, lora)
    layers = dict(_layers(components))
    tensors = load_file(lora.file)
    names = {key.rpartition(".lora")[0].removesuffix(".") for key in tensors if ".lora" in key}
    unmatched = [name for name in sorted(names) if not _is_loaded(name, layers, lora.layout)]
    count = len(tensors) - sum(key.startswith(tuple(unmatched)) for key in tensors if unmatched)
    deltas = ((key, _delta(layer)) for key, layer in layers.items())
    return Loaded(count, unmatched, deltas)


def _load_into_transformer(components: dict[str, nn.Module], lora: LoraToLoad) -> None:
    state, metadata = Flux2KleinPipeline.lora_state_dict(str(lora.file), return_lora_metadata=True)
    Flux2KleinPipeline.load_lora_into_transformer(
        state, components[TRANSFORMER], adapter_name=_NAME, metadata=metadata
    )


def _load_into_unet(components: dict[str, nn.Module], lora: LoraToLoad) -> None:
    mixin: Any = (
        StableDiffusionXLLoraLoaderMixin
        if lora.family == "sdxl"
        else StableDiffusionLoraLoaderMixin
    )
    unet: Any = components["unet"]
    state, alphas, metadata = mixin.lora_state_dict(
        str(lora.file), unet_config=unet.config, return_lora_metadata=True
    )
    mixin.load_lora_into_unet(state, alphas, unet=unet, adapter_name=_NAME, metadata=metadata)
    for name, encoder in components.items():
        if name != "unet":
            mixin.load_lora_into_text_encoder(
                *(state, alphas, encoder),
                prefix=name,
                lora_scale=1.0,
                adapter_name=_NAME,
                metadata=metadata,
            )


def _is_loaded(name: str, layers: Mapping[LayerKey, Any], layout: KeyLayout) -> bool:
    key = layout.find(name)
    return key is not None and all(part in layers for part in layout.fused.get(key, (key,)))


def _delta(layer: Any) -> torch.Tensor:
    """Return ΔW; peft's own function asks for the base's numbers."""
    up, down = layer.lora_B[_NAME].weight, layer.lora_A[_NAME].weight
    delta: torch.Tensor = up.flatten(1) @ down.flatten(1) * layer.scaling[_NAME]
    return delta


def _layers(components: dict[str, Any]) -> Iterator[tuple[LayerKey, Any]]:
    for component, module in components.items():
        for path, layer in module.named_modules():
            if isinstance(layer, BaseTunerLayer) and _NAME in layer.lora_A:
                yield LayerKey(component, path.removeprefix(_INNER)), layer


def _components(lora: LoraToLoad) -> dict[str, nn.Module]:
    """Return the models, whatever their numbers, by diffusers' names."""
    with torch.device("meta"):
        components = _transformer() if lora.layout.denoiser == TRANSFORMER else _unet(lora)
    # On the CPU, for adapters go where the base is; memory that nobody writes costs nothing.
    return {name: module.to_empty(device="cpu") for name, module in components.items()}


def _transformer() -> dict[str, nn.Module]:
    of_klein = config("flux2-klein", TRANSFORMER)
    return {TRANSFORMER: Flux2Transformer2DModel.from_config(of_klein)}


def _unet(lora: LoraToLoad) -> dict[str, nn.Module]:
    components: dict[str, nn.Module] = {
        "unet": UNet2DConditionModel.from_config(config(lora.family, "unet")),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**config(lora.family, "text_encoder"))),
    }
    if lora.family == "sdxl":
        second = CLIPTextConfig(**config("sdxl", "text_encoder_2"))
        components["text_encoder_2"] = CLIPTextModelWithProjection(second)
    return components
