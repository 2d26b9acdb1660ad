"""Write a klein's parts into the folders and files that ComfyUI has them in."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from modelsheet.base_models.families import WeightMark

Weights = dict[str, torch.Tensor]
# The makers' names of the transformer's layers, by diffusers'.
TRANSFORMER = {
    "x_embedder": "img_in",
    "context_embedder": "txt_in",
    "time_guidance_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_guidance_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "double_stream_modulation_img.linear": "double_stream_modulation_img.lin",
    "double_stream_modulation_txt.linear": "double_stream_modulation_txt.lin",
    "single_stream_modulation.linear": "single_stream_modulation.lin",
    "norm_out.linear": "final_layer.adaLN_modulation.1",
    "proj_out": "final_layer.linear",
}
DOUBLE = {
    "attn.norm_q": "img_attn.norm.query_norm",
    "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm",
    "attn.norm_added_k": "txt_attn.norm.key_norm",
    "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj",
    "ff.linear_in": "img_mlp.0",
    "ff.linear_out": "img_mlp.2",
    "ff_context.linear_in": "txt_mlp.0",
    "ff_context.linear_out": "txt_mlp.2",
}
SINGLE = {
    "attn.to_qkv_mlp_proj": "linear1",
    "attn.to_out": "linear2",
    "attn.norm_q": "norm.query_norm",
    "attn.norm_k": "norm.key_norm",
}
FUSED = {
    "img_attn.qkv": ("attn.to_q", "attn.to_k", "attn.to_v"),
    "txt_attn.qkv": ("attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"),
}


def transformer_weights(weights: Weights) -> Weights:
    """Name a transformer's weights as its makers do: fused projections, shift before scale."""
    made: Weights = {}
    for key, weight in weights.items():
        layer, _, kind = key.rpartition(".")
        block = re.fullmatch(r"(single_)?transformer_blocks\.(\d+)\.(.+)", layer)
        if block is None:
            if layer == "norm_out.linear":
                weight = torch.cat(weight.chunk(2)[::-1])
            made[f"{TRANSFORMER[layer]}.{kind}"] = weight
            continue
        of = "single_blocks" if block[1] else "double_blocks"
        name = (SINGLE if block[1] else DOUBLE).get(block[3])
        if name is not None:
            suffix = "scale" if "norm" in name else kind
            made[f"{of}.{block[2]}.{name}.{suffix}"] = weight
    count = 1 + max(int(key.split(".")[1]) for key in weights if key.startswith("transformer_"))
    for index in range(count):
        for name, parts in FUSED.items():
            of_block = [weights[f"transformer_blocks.{index}.{part}.weight"] for part in parts]
            made[f"double_blocks.{index}.{name}.weight"] = torch.cat(of_block)
    return made


def autoencoder_weights(weights: Weights, depth: int) -> Weights:
    """Name an autoencoder's weights as its makers do; `depth` levels."""
    made: Weights = {}
    for key, weight in weights.items():
        name = re.sub(
            r"up_blocks\.(\d)", lambda match: f"up_blocks.{depth - 1 - int(match[1])}", key
        )
        for new, old in (
            (r"(down|up)_blocks\.(\d)\.resnets\.(\d)", r"\1.\2.block.\3"),
            (r"(down|up)_blocks\.(\d)\.(down|up)samplers\.0", r"\1.\2.\3sample"),
            (r"mid_block\.resnets\.0", "mid.block_1"),
            (r"mid_block\.resnets\.1", "mid.block_2"),
            (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
            (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
            (r"mid_block\.attentions\.0\.to_(.)", r"mid.attn_1.\1"),
            ("conv_shortcut", "nin_shortcut"),
            ("conv_norm_out", "norm_out"),
            (r"^quant_conv", "encoder.quant_conv"),
            (r"^post_quant_conv", "decoder.post_quant_conv"),
        ):
            name = re.sub(new, old, name)
        is_convolution = re.search(r"attn_1\.(q|k|v|proj_out)\.weight", name)
        made[name] = weight[:, :, None, None] if is_convolution else weight
    return made


def in_fp8(weights: Weights) -> Weights:
    """Store matrices in eight bits with a scale each, as the makers' fp8 files do."""
    made: Weights = {}
    for key, weight in weights.items():
        if weight.ndim != 2:
            made[key] = weight
            continue
        scale = weight.abs().max() / 448
        layer = key.removesuffix("weight")
        made[key] = (weight / scale).to(torch.float8_e4m3fn)
        made[f"{layer}weight_scale"] = scale
        made[f"{layer}input_scale"] = torch.ones(())
    return made


def write_comfyui(root: Path, pipeline: Any, folder: Path, name: str, **changes: Weights) -> None:
    """Write a ComfyUI with a klein of `pipeline`, whose folder is `folder`: transformer (`name`),
    text encoder and autoencoder. `changes` replace the weights of one of them.
    """
    depth = len(pipeline.vae.config.block_out_channels)
    parts = {
        "transformer": (
            f"diffusion_models/{name}",
            transformer_weights(pipeline.transformer.state_dict()),
        ),
        "text_encoder": ("text_encoders/qwen_3_4b", text_encoder_weights(folder)),
        "vae": ("vae/flux2-vae", autoencoder_weights(pipeline.vae.state_dict(), depth)),
    }
    for part, (path, weights) in parts.items():
        file = root / "models" / f"{path}.safetensors"
        file.parent.mkdir(parents=True, exist_ok=True)
        chosen = changes.get(part, weights)
        save_file({key: each.contiguous().clone() for key, each in chosen.items()}, file)
    target = root / "comfy" / "text_encoders" / "qwen25_tokenizer"
    target.mkdir(parents=True)
    write_vocabulary(folder / "tokenizer" / "tokenizer.json", target)


def text_encoder_weights(folder: Path) -> Weights:
    return dict(load_file(folder / "text_encoder" / "model.safetensors"))


def write_vocabulary(tokenizer: Path, target: Path) -> None:
    """Write vocab.json and merges.txt alone, the special tokens left out."""
    content = json.loads(tokenizer.read_text("utf-8"))
    special = {each["content"] for each in content["added_tokens"]}
    vocab = {key: value for key, value in content["model"]["vocab"].items() if key not in special}
    (target / "vocab.json").write_text(json.dumps(vocab), "utf-8")
    merges = [
        each if isinstance(each, str) else " ".join(each) for each in content["model"]["merges"]
    ]
    (target / "merges.txt").write_text("\n".join(["#version: 0.2", *merges]) + "\n", "utf-8")


def marks_of(weights: dict[str, Weights]) -> dict[str, WeightMark]:
    """Return the marks of tiny parts, by the true ones' names of weights."""
    keys = {
        "transformer": "double_blocks.0.img_attn.qkv.weight",
        "text_encoder": "model.embed_tokens.weight",
        "vae": "bn.running_mean",
    }
    return {part: WeightMark(key, tuple(weights[part][key].shape)) for part, key in keys.items()}


def write_configs(folder: Path, root: Path) -> None:
    """Copy the config files of a model's folder, as the package has them of the true one."""
    for part in ("transformer", "text_encoder", "vae"):
        (root / part).mkdir(parents=True)
        shutil.copy(folder / part / "config.json", root / part / "config.json")
    shutil.copytree(folder / "scheduler", root / "scheduler")
