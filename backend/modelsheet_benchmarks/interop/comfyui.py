"""Load a LoRA file by ComfyUI, or by Forge, whose loader began as ComfyUI's.

The names of a Stable Diffusion's weights are ours, those of FLUX.2's come from ComfyUI's own model.
"""

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
from modelsheet.lora.key_mapping import TRANSFORMER
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet_benchmarks.interop.base_modules import comfyui_names, config
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
# What model_detection.py takes for FLUX.2 and does not read from a checkpoint.
_FLUX2: Mapping[str, object] = {
    "image_model": "flux2",
    "global_modulation": True,
    "mlp_silu_act": True,
    "qkv_bias": False,
    "ops_bias": False,
    "vec_in_dim": None,
    "txt_ids_dims": [3],
}


class _Model:
    """Stand-in for a model: the names of its weights and its shape, which the loaders ask for."""

    def __init__(
        self, names: Mapping[str, Any], family: Family, shape: Mapping[str, object]
    ) -> None:
        self._names = names
        self.model_config = types.SimpleNamespace(unet_config=dict(shape))
        # Forge asks for these.
        self.config = types.SimpleNamespace(huggingface_repo=family)
        self.diffusion_model = types.SimpleNamespace(config=dict(shape))

    def state_dict(self) -> Mapping[str, Any]:
        return self._names


def load(program: Path, lora: LoraToLoad) -> Loaded:
    """Load by `convert_lora` and `load_lora`; ΔW by `calculate_weight`."""
    sys.path.insert(0, str(program))
    managers = ("memory_management", "model_management", "model_base", "cli_args", "model_patcher")
    unused = ("ldm.common_dit", "ldm.modules", "quant_ops")
    stub_modules("einops", *(f"comfy.{name}" for name in (*managers, *unused)))
    loader = importlib.import_module("comfy.lora")
    management: Any = importlib.import_module("comfy.model_management")
    management.cast_to_device = cast_to_device
    is_transformer = lora.layout.denoiser == TRANSFORMER
    names, key_map = (_flux2_key_map if is_transformer else _key_map)(loader, lora)
    tensors = importlib.import_module("comfy.lora_convert").convert_lora(load_file(lora.file))
    patches = loader.load_lora(tensors, key_map)
    used = {key for patch in patches.values() for key in patch.loaded_keys}
    used |= {key for key in tensors if key.endswith(".alpha") and key[:-6] in key_map}

    def deltas() -> Iterator[tuple[LayerKey, torch.Tensor]]:
        for name, patch in patches.items():
            weight = torch.zeros(_weight_shape(lora, names[name]))
            delta = loader.calculate_weight([(1.0, patch, 1.0, None, None)], weight, name)
            parts = lora.layout.fused.get(names[name], (names[name],))
            yield from zip(parts, delta.chunk(len(parts)), strict=True)

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
    shape = _UNETS[lora.family]
    key_map: dict[str, str] = loader.model_lora_keys_unet(_Model(unet, lora.family, shape), {})
    return names, loader.model_lora_keys_clip(_Model(encoders, lora.family, shape), key_map)


def _flux2_key_map(loader: Any, lora: LoraToLoad) -> tuple[dict[str, LayerKey], dict[str, str]]:
    """Return the weights that ComfyUI's own FLUX.2 has, and the loader's map to them."""
    shape = _flux2_shape()
    flux: Any = importlib.import_module("comfy.ldm.flux.model")
    model = flux.Flux(**shape, device="meta", dtype=torch.float32, operations=torch.nn)
    ours = comfyui_names(lora.layout)
    names = {f"diffusion_model.{name}": tensor for name, tensor in model.state_dict().items()}
    base: Any = importlib.import_module("comfy.model_base")
    stand_in = type("Model", (_Model, base.Flux), {})(names, lora.family, shape)
    return ours, loader.model_lora_keys_unet(stand_in, {})


def _flux2_shape() -> dict[str, object]:
    """Translate klein's config to the arguments of ComfyUI's FLUX.2."""
    ours = config("flux2-klein", TRANSFORMER)
    return {
        **_FLUX2,
        "in_channels": ours["in_channels"],
        "out_channels": ours["in_channels"],
        "context_in_dim": ours["joint_attention_dim"],
        "hidden_size": ours["num_attention_heads"] * ours["attention_head_dim"],
        "num_heads": ours["num_attention_heads"],
        "mlp_ratio": ours["mlp_ratio"],
        "depth": ours["num_layers"],
        "depth_single_blocks": ours["num_single_layers"],
        "axes_dim": ours["axes_dims_rope"],
        "theta": ours["rope_theta"],
        "patch_size": ours["patch_size"],
        "guidance_embed": ours["guidance_embeds"],
    }


def _weight_shape(lora: LoraToLoad, key: LayerKey) -> tuple[int, ...]:
    shape = lora.layout.shapes[key]
    return (shape.rows, shape.columns, *[shape.kernel] * (2 if shape.kernel else 0))
