"""Load a LoRA file by ComfyUI, or by Forge, whose loader began as ComfyUI's."""

from __future__ import annotations

import importlib
import sys
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from modelsheet.api.types import Family
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet_benchmarks.interop.base_modules import comfyui_names
from modelsheet_benchmarks.interop.loaded import Loaded, LoraToLoad
from modelsheet_benchmarks.interop.stub_modules import cast_to_device, stub_modules

# The shape of the UNets as ComfyUI and Forge write it.
_UNETS: Mapping[Family, Mapping[str, object]] = {
    "sd15": {
        "num_res_blocks": [2, 2, 2, 2],
        "channel_mult": [1, 2, 4, 4],
        "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
        "transformer_depth_output": [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
        "transformer_depth_middle": 1,
    },
    "sdxl": {
        "num_res_blocks": [2, 2, 2],
        "channel_mult": [1, 2, 4],
        "transformer_depth": [0, 0, 2, 2, 10, 10],
        "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
        "transformer_depth_middle": 10,
    },
}


class _Model:
    """Stand-in for a model: the names of its weights and its shape, which the loaders ask for."""

    def __init__(self, names: Mapping[str, LayerKey], family: Family) -> None:
        self._names = names
        self.model_config = types.SimpleNamespace(unet_config=dict(_UNETS[family]))
        # Forge asks for these.
        self.config = types.SimpleNamespace(huggingface_repo=family)
        self.diffusion_model = types.SimpleNamespace(config=dict(_UNETS[family]))

    def state_dict(self) -> Mapping[str, LayerKey]:
        return self._names


def load(program: Path, lora: LoraToLoad) -> Loaded:
    """Load by `convert_lora` and `load_lora`; ΔW by `calculate_weight`."""
    sys.path.insert(0, str(program))
    managers = ("memory_management", "model_management", "model_base", "cli_args", "model_patcher")
    stub_modules("einops", *(f"comfy.{name}" for name in managers))
    loader = importlib.import_module("comfy.lora")
    management: Any = importlib.import_module("comfy.model_management")
    management.cast_to_device = cast_to_device
    names, key_map = _key_map(loader, lora)
    tensors = importlib.import_module("comfy.lora_convert").convert_lora(load_file(lora.file))
    patches = loader.load_lora(tensors, key_map)
    used = {key for patch in patches.values() for key in patch.loaded_keys}
    used |= {key for key in tensors if key.endswith(".alpha") and key[:-6] in key_map}

    def deltas() -> Iterator[tuple[LayerKey, torch.Tensor]]:
        for name, patch in patches.items():
            weight = torch.zeros(_weight_shape(lora, names[name]))
            yield (
                names[name],
                loader.calculate_weight([(1.0, patch, 1.0, None, None)], weight, name),
            )

    return Loaded(len(used), sorted(set(tensors) - used), deltas())


def load_in_forge(program: Path, lora: LoraToLoad) -> Loaded:
    """Load by Forge's `load_lora`; ΔW by `merge_lora_to_weight`."""
    sys.path.insert(0, str(program))
    stub_modules("backend.memory_management", "backend.utils", "backend.operations")
    management: Any = importlib.import_module("backend.memory_management")
    management.cast_to_device = cast_to_device
    loader = importlib.import_module("backend.patcher.lora")
    names, key_map = _key_map(loader, lora)
    tensors = load_file(lora.file)
    patches, remaining = loader.load_lora(dict(tensors), key_map)

    def deltas() -> Iterator[tuple[LayerKey, torch.Tensor]]:
        for name, patch in patches.items():
            weight = torch.zeros(_weight_shape(lora, names[name]))
            yield (
                names[name],
                loader.merge_lora_to_weight([(1.0, patch, 1.0, None, None)], weight, name),
            )

    return Loaded(len(tensors) - len(remaining), sorted(remaining), deltas())


def _key_map(loader: Any, lora: LoraToLoad) -> tuple[dict[str, LayerKey], dict[str, str]]:
    """Return the model's weights, and the loader's map from names in files to them."""
    names = comfyui_names(lora.layout)
    unet = {name: key for name, key in names.items() if name.startswith("diffusion_model.")}
    encoders = {name: key for name, key in names.items() if name not in unet}
    key_map: dict[str, str] = loader.model_lora_keys_unet(_Model(unet, lora.family), {})
    return names, loader.model_lora_keys_clip(_Model(encoders, lora.family), key_map)


def _weight_shape(lora: LoraToLoad, key: LayerKey) -> tuple[int, ...]:
    shape = lora.layout.shapes[key]
    return (shape.rows, shape.columns, *[shape.kernel] * (2 if shape.kernel else 0))
