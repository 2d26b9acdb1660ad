"""Map the key names of kohya, diffusers and peft to the layers of a base model."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from modelsheet.api.types import Family
from modelsheet.files.safetensors_file import SafetensorsHeader
from modelsheet.lora.layer_shapes import (
    Config,
    LayerKey,
    LayerShape,
    text_encoder_layers,
    unet_layers,
)

UNET, TEXT_ENCODER, TEXT_ENCODER_2 = "unet", "text_encoder", "text_encoder_2"
TRANSFORMER = "transformer"
DENOISERS = (UNET, TRANSFORMER)
_PREFIXES = {  # kohya networks/lora.py: lora_te for SD 1.x, lora_te1 and lora_te2 for SDXL
    UNET: ("lora_unet_", "lycoris_"),  # the second is lycoris-lora's outside of kohya's scripts
    TEXT_ENCODER: ("lora_te_", "lora_te1_"),
    TEXT_ENCODER_2: ("lora_te2_",),
}
# Beginnings of dotted names in diffusers, in ComfyUI and OneTrainer, and in checkpoints.
_COMPONENTS = (
    (re.compile(r"(unet|transformer|(model\.)?diffusion_model)\."), UNET),
    (re.compile(r"(text_encoders\.)?clip_l\.(transformer\.)?|text_encoder\."), TEXT_ENCODER),
    (
        re.compile(r"(cond_stage_model|conditioner\.embedders\.0)\.transformer\."),
        TEXT_ENCODER,
    ),
    (re.compile(r"(text_encoders\.)?clip_g\.(transformer\.)?|text_encoder_2\."), TEXT_ENCODER_2),
)
_INNER = "text_model."  # a text encoder's inner module, in some names only
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
    by_original_path: Mapping[str, LayerKey]
    denoiser: str = UNET  # the component of its layers
    # Layers that other programs have as one, of the same number of rows each.
    fused: Mapping[LayerKey, tuple[LayerKey, ...]] = field(default_factory=dict)

    def kohya_name(self, key: LayerKey) -> str:
        """Return the name of a layer in kohya's format of this family."""
        if key.component in DENOISERS:
            # kohya's for SD 1.5 are diffusers' names; a fused layer has its original one alone.
            is_original = key.component == TRANSFORMER or self.family == "sdxl"
            path = self.original_paths.get(key, key.path) if is_original else key.path
            return f"lora_unet_{_flat(path)}"
        which = -1 if self.family == "sdxl" else 0
        return _PREFIXES[key.component][which] + _flat(_text_path(key.path))

    def find(self, name: str, width: int = 0) -> LayerKey | None:
        """Return the layer of a key name in any known format, None if the base model has none.

        Names of peft do not say which text encoder they mean: it is the one that takes inputs of
        this `width`, 0 for any.
        """
        if name in self.by_kohya_name:
            return self.by_kohya_name[name]
        dotted = name.removeprefix("base_model.model.")
        for pattern, component in _COMPONENTS:
            match = pattern.match(dotted)
            if match:
                found_in = self.denoiser if component == UNET else component
                return self._find_in(found_in, dotted[match.end() :])
        if not dotted.startswith((_INNER, "encoder.")):
            return self._find_in(self.denoiser, dotted)
        found = (self._find_in(each, dotted) for each in (TEXT_ENCODER, TEXT_ENCODER_2))
        return next((key for key in found if key and width in (0, self.shapes[key].columns)), None)

    def _find_in(self, component: str, path: str) -> LayerKey | None:
        if component == self.denoiser and path in self.by_original_path:
            return self.by_original_path[path]
        path = path.replace(".processor.", ".").removeprefix(_INNER)
        if LayerKey(component, path) in self.shapes:
            return LayerKey(component, path)
        # Names of diffusers below 0.18, where attention processors held the LoRA.
        path = re.sub(r"\.to_out$", ".to_out.0", path)
        path = re.sub(r"self_attn\.to_(q|k|v|out)(\.0)?$", r"self_attn.\1_proj", path)
        key = LayerKey(component, path)
        return key if key in self.shapes else None


def make_key_layout(
    family: Family, unet: Config, text_encoder: Config | None, text_encoder_2: Config | None = None
) -> KeyLayout:
    """Build the key layout of a base model from its components' configs."""
    shapes = unet_layers(unet)
    original_paths = {key: _original_path(key.path, unet) for key in shapes}
    by_kohya_name: dict[str, LayerKey] = {}
    for prefix in _PREFIXES[UNET]:
        by_kohya_name |= {prefix + _flat(path): key for key, path in original_paths.items()}
        by_kohya_name |= {prefix + _flat(key.path): key for key in shapes}
    for component, config in ((TEXT_ENCODER, text_encoder), (TEXT_ENCODER_2, text_encoder_2)):
        if config is not None:
            layers = text_encoder_layers(component, config)
            shapes |= layers
            for prefix in _PREFIXES[component]:
                by_kohya_name |= {prefix + _flat(_text_path(key.path)): key for key in layers}
    by_original_path = {path: key for key, path in original_paths.items()}
    return KeyLayout(family, shapes, original_paths, by_kohya_name, by_original_path)


def layout_of_adapter(header: SafetensorsHeader) -> KeyLayout:
    """Build the key layout of the layers that an adapter of ours changes, from its own tensors.

    It serves where the adapter's base model is not needed or not here; it has diffusers' names
    alone.
    """
    shapes: dict[LayerKey, LayerShape] = {}
    for key, down in header.entries.items():
        name, _, ending = key.partition(".lora_A.")
        up = header.entries.get(f"{name}.lora_B.{ending}")
        component, _, path = name.partition(".")
        if (
            up is None
            or component not in (*_PREFIXES, TRANSFORMER)
            or len(down.shape) not in (2, 4)
        ):
            continue
        kernel = down.shape[2] if len(down.shape) == 4 else 0
        layer_key = LayerKey(component, path.removeprefix(_INNER))
        shapes[layer_key] = LayerShape(up.shape[0], down.shape[1], kernel)
    is_transformer = any(key.component == TRANSFORMER for key in shapes)
    return KeyLayout("sd15", shapes, {}, {}, {}, TRANSFORMER if is_transformer else UNET)


def diffusers_name(key: LayerKey) -> str:
    """Return the name of a layer in diffusers' save_lora_weights format.

    Text encoders get the "text_model." of older transformers versions, which all versions read.
    """
    path = key.path if key.component in DENOISERS else _text_path(key.path)
    return f"{key.component}.{path}"


def _text_path(path: str) -> str:
    """Return a text encoder's path with its inner module, of which the projection is no part."""
    return path if path == "text_projection" else _INNER + path


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
