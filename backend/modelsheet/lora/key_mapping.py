"""What programs call the layers of a base model: kohya's names, those of diffusers and of peft."""

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
# The blocks of the original UNet, which kohya's SDXL and every single-file checkpoint use.
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
    """The layers of one base model and what files may call them."""

    family: Family
    sites: Mapping[LayerKey, LayerShape]
    original: Mapping[LayerKey, str]  # the original UNet's dotted paths
    flat: Mapping[str, LayerKey]  # by kohya's names, of both kinds

    def kohya_name(self, site: LayerKey) -> str:
        """What kohya's own trainer calls a layer of this family."""
        if site.component == UNET:
            path = self.original[site] if self.family == "sdxl" else site.path
            return f"lora_unet_{_flat(path)}"
        which = -1 if self.family == "sdxl" else 0
        return _PREFIXES[site.component][which] + _flat(site.path)

    def find(self, name: str) -> LayerKey | None:
        """Return the layer that a file calls by this name, None if the base model has none."""
        if name in self.flat:
            return self.flat[name]
        dotted = name.removeprefix("base_model.model.")
        component, _, path = dotted.partition(".")
        if component not in _PREFIXES:
            component, path = UNET, dotted
        path = path.replace(".processor.", ".").removeprefix("text_model.")
        path = re.sub(r"\.to_out$", ".to_out.0", path)
        site = LayerKey(component, path)
        return site if site in self.sites else None


def make_key_layout(
    family: Family, unet: Config, text_encoder: Config | None, text_encoder_2: Config | None = None
) -> KeyLayout:
    """Lay out a base model by its components' config files."""
    sites = unet_layers(unet)
    original = {site: _original(site.path, unet) for site in sites}
    flat = {f"lora_unet_{_flat(path)}": site for site, path in original.items()}
    flat |= {f"lora_unet_{_flat(site.path)}": site for site in sites}
    for component, config in ((TEXT_ENCODER, text_encoder), (TEXT_ENCODER_2, text_encoder_2)):
        if config is not None:
            layers = text_encoder_layers(component, config)
            sites |= layers
            for prefix in _PREFIXES[component]:
                flat |= {prefix + _flat(site.path): site for site in layers}
    return KeyLayout(family, sites, original, flat)


def diffusers_name(site: LayerKey) -> str:
    """What save_lora_weights writes; text encoders as older transformers had them, read by all."""
    middle = "" if site.component == UNET else "text_model."
    return f"{site.component}.{middle}{site.path}"


def _flat(path: str) -> str:
    return path.replace(".", "_")


def _original(path: str, unet: Config) -> str:
    if path in _ENDS:
        return _ENDS[path]
    block = _BLOCK.fullmatch(path)
    assert block is not None, path
    layer, rest, part = int(block["layer"]), block["rest"], block["part"]
    rest = _RESNET[rest] if part == "resnets" else rest
    per_block = unet["layers_per_block"] + 1  # a level and the change of size after it
    if block["down"] is not None:
        first = 1 + int(block["down"]) * per_block
        if part == "downsamplers":
            return f"input_blocks.{first + per_block - 1}.0.op"
        return f"input_blocks.{first + layer}.{int(part == 'attentions')}.{rest}"
    if block["up"] is None:
        return f"middle_block.{1 if part == 'attentions' else 2 * layer}.{rest}"
    level = int(block["up"])
    if part == "upsamplers":
        place = 2 if "CrossAttn" in unet["up_block_types"][level] else 1
        return f"output_blocks.{(level + 1) * per_block - 1}.{place}.{rest}"
    return f"output_blocks.{level * per_block + layer}.{int(part == 'attentions')}.{rest}"
