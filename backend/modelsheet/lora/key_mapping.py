"""Map the key names of kohya, diffusers and peft to the layers of a base model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from modelsheet.api.types import Family
from modelsheet.lora.layer_shapes import (
    Config,
    LayerKey,
    LayerShape,
    text_encoder_layers,
    unet_layers,
)

UNET, TEXT_ENCODER, TEXT_ENCODER_2 = "unet", "text_encoder", "text_encoder_2"
_PREFIXES = {  # kohya networks/lora.py: lora_te for SD 1.x, lora_te1 and lora_te2 for SDXL
    UNET: ("lora_unet_",),
    TEXT_ENCODER: ("lora_te_text_model_", "lora_te1_text_model_"),
    TEXT_ENCODER_2: ("lora_te2_text_model_",),
}
# Block names of the original (LDM) UNet, used by kohya's SDXL and by single-file checkpoints.
_RESNET = {
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "conv_in": "input_blocks.0.0",
    "conv_out": "out.2",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2",
}
_BLOCK = re.compile(
    r"(down_blocks\.(?P<down>\d+)|mid_block|up_blocks\.(?P<up>\d+))"
    r"\.(?P<part>resnets|attentions|downsamplers|upsamplers)\.(?P<layer>\d+)\.(?P<rest>.+)"
)


@dataclass(frozen=True)
class KeyLayout:
    """The layers of one base model with their shapes and all their key names."""

    family: Family
    shapes: Mapping[LayerKey, LayerShape]
    original_paths: Mapping[LayerKey, str]  # the original UNet's dotted paths
    by_kohya_name: Mapping[str, LayerKey]  # layers by kohya's names, of both kinds

    def kohya_name(self, key: LayerKey) -> str:
        """Return the name of a layer in kohya's format of this family."""
        if key.component == UNET:
            path = self.original_paths[key] if self.family == "sdxl" else key.path
            return f"lora_unet_{_flat(path)}"
        which = -1 if self.family == "sdxl" else 0
        return _PREFIXES[key.component][which] + _flat(key.path)

    def find(self, name: str) -> LayerKey | None:
        """Return the layer of a key name in any known format, None if the base model has none."""
        if name in self.by_kohya_name:
            return self.by_kohya_name[name]
        dotted = name.removeprefix("base_model.model.")
        component, _, path = dotted.partition(".")
        if component not in _PREFIXES:
            component, path = UNET, dotted
        path = path.replace(".processor.", ".").removeprefix("text_model.")
        path = re.sub(r"\.to_out$", ".to_out.0", path)
        key = LayerKey(component, path)
        return key if key in self.shapes else None


def make_key_layout(
    family: Family, unet: Config, text_encoder: Config | None, text_encoder_2: Config | None = None
) -> KeyLayout:
    """Build the key layout of a base model from its components' configs."""
    shapes = unet_layers(unet)
    original_paths = {key: _original_path(key.path, unet) for key in shapes}
    by_kohya_name = {f"lora_unet_{_flat(path)}": key for key, path in original_paths.items()}
    by_kohya_name |= {f"lora_unet_{_flat(key.path)}": key for key in shapes}
    for component, config in ((TEXT_ENCODER, text_encoder), (TEXT_ENCODER_2, text_encoder_2)):
        if config is not None:
            layers = text_encoder_layers(component, config)
            shapes |= layers
            for prefix in _PREFIXES[component]:
                by_kohya_name |= {prefix + _flat(key.path): key for key in layers}
    return KeyLayout(family, shapes, original_paths, by_kohya_name)


def diffusers_name(key: LayerKey) -> str:
    """Return the name of a layer in diffusers' save_lora_weights format.

    Text encoders get the "text_model." of older transformers versions, which all versions read.
    """
    middle = "" if key.component == UNET else "text_model."
    return f"{key.component}.{middle}{key.path}"


def _flat(path: str) -> str:
    return path.replace(".", "_")


def _original_path(path: str, unet: Config) -> str:
    """Translate a diffusers UNet path to the original UNet's."""
    if path in _ENDS:
        return _ENDS[path]
    block = _BLOCK.fullmatch(path)
    assert block is not None, path
    layer, rest, part = int(block["layer"]), block["rest"], block["part"]
    rest = _RESNET[rest] if part == "resnets" else rest
    per_block = unet["layers_per_block"] + 1  # a level and its down- or upsampler
    if block["down"] is not None:
        first = 1 + int(block["down"]) * per_block
        if part == "downsamplers":
            return f"input_blocks.{first + per_block - 1}.0.op"
        return f"input_blocks.{first + layer}.{int(part == 'attentions')}.{rest}"
    if block["up"] is None:
        return f"middle_block.{1 if part == 'attentions' else 2 * layer}.{rest}"
    level = int(block["up"])
    if part == "upsamplers":
        index = 2 if "CrossAttn" in unet["up_block_types"][level] else 1
        return f"output_blocks.{(level + 1) * per_block - 1}.{index}.{rest}"
    return f"output_blocks.{level * per_block + layer}.{int(part == 'attentions')}.{rest}"
