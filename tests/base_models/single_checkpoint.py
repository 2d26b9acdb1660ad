"""Write models as single-file checkpoints, with the key names of A1111 and ComfyUI."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

Tensors = dict[str, torch.Tensor]
_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_ENDS = {
    "conv_in.": "input_blocks.0.0.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
}
_OPEN_CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def checkpoint_of(pipeline: Any) -> Tensors:
    """Return all weights of a pipeline by their original names."""
    unet = pipeline.unet.state_dict()
    tensors = {f"model.diffusion_model.{_unet_key(k, pipeline.unet)}": v for k, v in unet.items()}
    for key, value in pipeline.vae.state_dict().items():
        name, tensor = _vae_entry(key, value)
        tensors[f"first_stage_model.{name}"] = tensor
    first = pipeline.text_encoder.state_dict()
    is_xl = hasattr(pipeline, "text_encoder_2")
    stem = "conditioner.embedders.0." if is_xl else "cond_stage_model."
    for key, value in first.items():
        inner = key.removeprefix("text_model.")
        tensors[f"{stem}transformer.text_model.{inner}"] = value
    if is_xl:
        tensors |= _open_clip(pipeline.text_encoder_2.state_dict())
    return {key: value.clone().contiguous() for key, value in tensors.items()}


def write_checkpoint(tensors: Tensors, path: Path, **metadata: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, path, metadata=metadata or None)
    return path


def _unet_key(key: str, unet: Any) -> str:
    per_level = unet.config.layers_per_block + 1
    for ours, theirs in _ENDS.items():
        if key.startswith(ours):
            return key.replace(ours, theirs, 1)
    found = re.fullmatch(r"(down|mid|up)_blocks?\.(?:(\d+)\.)?(\w+)\.(\d+)\.(.+)", key)
    assert found is not None, key
    place, part, layer, rest = found[1], found[3], int(found[4]), found[5]
    level = int(found[2] or 0)
    if part == "resnets":
        inner, _, end = rest.rpartition(".")
        rest = f"{_RESNET[inner]}.{end}"
    if place == "mid":
        return f"middle_block.{1 if part == 'attentions' else 2 * layer}.{rest}"
    if part == "downsamplers":
        return f"input_blocks.{(level + 1) * per_level}.0.op.{rest.split('.')[-1]}"
    if part == "upsamplers":
        has_attention = "CrossAttn" in unet.config.up_block_types[level]
        return f"output_blocks.{(level + 1) * per_level - 1}.{1 + has_attention}.{rest}"
    which = int(part == "attentions")
    if place == "down":
        return f"input_blocks.{1 + level * per_level + layer}.{which}.{rest}"
    return f"output_blocks.{level * per_level + layer}.{which}.{rest}"


def _vae_entry(key: str, value: torch.Tensor) -> tuple[str, torch.Tensor]:
    key = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    key = key.replace("mid_block.attentions.0", "mid.attn_1")
    key = re.sub(r"encoder\.down_blocks\.(\d)\.resnets", r"encoder.down.\1.block", key)
    key = re.sub(r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample", key)
    up = r"decoder\.up_blocks\.(\d)"
    key = re.sub(rf"{up}\.resnets", lambda m: f"decoder.up.{3 - int(m[1])}.block", key)
    key = re.sub(rf"{up}\.upsamplers\.0", lambda m: f"decoder.up.{3 - int(m[1])}.upsample", key)
    key = key.replace("conv_shortcut", "nin_shortcut").replace("conv_norm_out", "norm_out")
    if ".attn_1." in key:
        for ours, theirs in (("group_norm", "norm"), ("to_out.0", "proj_out")):
            key = key.replace(ours, theirs)
        key = re.sub(r"\.to_([qkv])\.", r".\1.", key)
        if value.ndim == 2:
            value = value[:, :, None, None]
    return key, value


def _open_clip(state: Tensors) -> Tensors:
    stem = "conditioner.embedders.1.model."
    inner = {key.removeprefix("text_model."): value for key, value in state.items()}
    tensors = {
        f"{stem}token_embedding.weight": inner.pop("embeddings.token_embedding.weight"),
        f"{stem}positional_embedding": inner.pop("embeddings.position_embedding.weight"),
        f"{stem}text_projection": inner.pop("text_projection.weight").T,
        f"{stem}logit_scale": torch.tensor(1.0),
    }
    joined: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in inner.items():
        found = re.fullmatch(r"encoder\.layers\.(\d+)\.(.+)\.(weight|bias)", key)
        if found is None:
            tensors[stem + key.replace("final_layer_norm", "ln_final")] = value
            continue
        block, name, end = f"{stem}transformer.resblocks.{found[1]}", found[2], found[3]
        if name in _OPEN_CLIP:
            tensors[f"{block}.{_OPEN_CLIP[name]}.{end}"] = value
        else:
            joined.setdefault(f"{block}.attn.in_proj_{end}", {})[name] = value
    for key, parts in joined.items():
        order = [parts[f"self_attn.{letter}_proj"] for letter in "qkv"]
        tensors[key] = torch.cat(order)
    return tensors
