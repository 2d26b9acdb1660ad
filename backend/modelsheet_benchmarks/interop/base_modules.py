"""The base models that other programs have in memory, by their own names and without numbers."""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import nn

from modelsheet.api.types import Family
from modelsheet.base_models.locate import CHECKPOINT_CONFIGS
from modelsheet.lora.key_mapping import (
    TEXT_ENCODER_2,
    TRANSFORMER,
    UNET,
    KeyLayout,
    make_key_layout,
)
from modelsheet.lora.layer_shapes import LayerKey, LayerShape
from modelsheet.lora.transformer_layers import make_transformer_layout

_OPEN_CLIP = {
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
}


def config(family: Family, component: str) -> dict[str, Any]:
    """Return the config of a component of the family's standard model."""
    path = CHECKPOINT_CONFIGS / family / component / "config.json"
    loaded: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return loaded


def key_layout(family: Family) -> KeyLayout:
    """Return the key layout of the family's standard model at its true size."""
    if family == "flux2-klein":
        return make_transformer_layout(family, config(family, TRANSFORMER))
    second = config(family, "text_encoder_2") if family == "sdxl" else None
    return make_key_layout(family, config(family, "unet"), config(family, "text_encoder"), second)


def meta_layer(shape: LayerShape) -> nn.Module:
    """Return a layer of this shape that has no numbers."""
    with torch.device("meta"):
        if shape.kernel:
            return nn.Conv2d(shape.columns, shape.rows, shape.kernel)
        return nn.Linear(shape.columns, shape.rows)


class ModuleTree(nn.Module):
    """Modules by dotted names."""

    def put(self, path: str, module: nn.Module) -> None:
        """Put a module at its path, with the modules above it."""
        *above, name = path.split(".")
        parent: nn.Module = self
        for each in above:
            if each not in parent._modules:
                parent.add_module(each, ModuleTree())
            child = parent._modules[each]
            assert child is not None
            parent = child
        parent.add_module(name, module)


def unet_by_original_names(layout: KeyLayout) -> ModuleTree:
    """Return the UNet as A1111 has it: `diffusion_model.…` of the checkpoint."""
    tree = ModuleTree()
    for key, path in layout.original_paths.items():
        tree.put(f"diffusion_model.{path}", meta_layer(layout.shapes[key]))
    return tree


def text_encoder_by_original_names(layout: KeyLayout, component: str) -> ModuleTree:
    """Return a text encoder as A1111 has it: transformers' CLIP-L, or OpenCLIP's bigG."""
    tree = ModuleTree()
    for key, shape in layout.shapes.items():
        if key.component != component:
            continue
        if component != TEXT_ENCODER_2:
            tree.put(f"transformer.text_model.{key.path}", meta_layer(shape))
        elif ".self_attn." in key.path:
            block = f"model.transformer.resblocks.{key.path.split('.')[2]}.attn"
            with torch.device("meta"):
                tree.put(block, nn.MultiheadAttention(shape.columns, 1))
        elif key.path != "text_projection":
            path = key.path.replace("encoder.layers", "model.transformer.resblocks")
            for ours, theirs in _OPEN_CLIP.items():
                path = path.replace(ours, theirs)
            tree.put(path, meta_layer(shape))
    return tree


def comfyui_names(layout: KeyLayout) -> dict[str, LayerKey]:
    """Return the names of weights in ComfyUI's UNet and text encoders, with their layers."""
    names = {}
    for key in layout.shapes:
        if key.component == TRANSFORMER:
            name = f"diffusion_model.{layout.original_paths.get(key, key.path)}"
        elif key.component == UNET:
            name = f"diffusion_model.{layout.original_paths[key]}"
        else:
            encoder = "clip_g" if key.component == TEXT_ENCODER_2 else "clip_l"
            inner = "" if key.path == "text_projection" else "text_model."
            name = f"{encoder}.transformer.{inner}{key.path}"
        names[f"{name}.weight"] = key
    return names
