"""Read a FLUX.2 klein whose transformer, text encoder and autoencoder are files of their own, as
ComfyUI keeps them. Their config files are in this package; the vocabulary is looked for on disk.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from safetensors.torch import load_file
from transformers import Qwen2TokenizerFast, Qwen3Config, Qwen3ForCausalLM

from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.base_models.part_files import DENOISER_PREFIX, is_distilled
from modelsheet.base_models.vocabularies import find_tokenizer
from modelsheet.diffusion.families.flux2 import text
from modelsheet.diffusion.models.base_model import Pipeline
from modelsheet.errors import ModelMissing, UnsafeModel

# Of a weight in 8 bits: the makers' name and ComfyUI's earlier one.
_SCALES = ("weight_scale", "scale_weight")
_BESIDE_WEIGHTS = re.compile(
    r".*(?:weight_scale|scale_weight|input_scale|scale_input|comfy_quant|scaled_fp8)"
)
# The autoencoder's layers that the makers' code has within encoder and decoder.
_MOVED = {"encoder.quant_conv.": "quant_conv.", "decoder.post_quant_conv.": "post_quant_conv."}
_STATISTICS = ("bn.running_mean", "bn.running_var")
_MOST_SPECIAL_TOKENS = 512  # the embedding's rows beyond the vocabulary
# Qwen3's, in the order of their ids behind the vocabulary.
_SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"),
    *("<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"),
    *("<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"),
    *("<tool_call>", "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"),
    *("<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>", "</tool_response>"),
    *("<think>", "</think>"),
)
# What Qwen3's template makes of one message without thinking. Jinja drops a last line break that is
# not within an expression.
_CHAT_TEMPLATE = (
    r"{% for message in messages %}"
    r"{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}{% endfor %}"
    r"{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}"
)


def read_part_files(
    files: BaseModelFiles, data_dir: Path, dtype: torch.dtype, quantised: Any | None
) -> Pipeline:
    """Read the three files and make a pipeline of them; its autoencoder in fp32, whatever `dtype`.

    `quantised` is diffusers' quantization_config of the transformer, where it is to have one.
    Raises ModelMissing without a vocabulary, UnsafeModel: weights are missing or in 4 bits.
    """
    assert files.text_encoder is not None
    assert files.vae is not None
    configs = files.configs
    tokenizer = _read_tokenizer(files, data_dir)
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler.from_pretrained(configs, subfolder="scheduler"),
        vae=_read_autoencoder(files.vae, configs / "vae"),
        text_encoder=_read_text_encoder(files.text_encoder, configs / "text_encoder", dtype),
        tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel.from_single_file(
            _read_weights(files.path, dtype, DENOISER_PREFIX),
            config=str(configs / "transformer"),
            local_files_only=True,
            dtype=dtype,
            quantization_config=quantised,
        ),
        is_distilled=is_distilled(files.path),
    )


def _read_weights(path: Path, dtype: torch.dtype, prefix: str = "") -> dict[str, torch.Tensor]:
    """Read a file's weights, those in 8 bits brought to `dtype`. Raises UnsafeModel: in 4 bits."""
    stored = load_file(path)
    weights = {}
    for key, weight in stored.items():
        if _BESIDE_WEIGHTS.fullmatch(key):
            continue
        if weight.dtype in (torch.uint8, torch.int8):
            raise UnsafeModel(
                f"{path.name} has its weights in 4 bits or another form that only ComfyUI reads. "
                "Get the version in bf16 or fp8."
            )
        if weight.element_size() == 1:
            weight = _dequantised(weight, _scale_of(key, stored)).to(dtype)
        weights[key.removeprefix(prefix)] = weight
    return weights


def _scale_of(key: str, stored: Mapping[str, torch.Tensor]) -> torch.Tensor:
    layer = key.removesuffix("weight")
    scales = [stored[layer + name] for name in _SCALES if layer + name in stored]
    return scales[0] if scales else torch.ones(())


def _dequantised(weight: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """Multiply fp8 weights by their scale: one number, or one a row."""
    rows = scale.float().reshape(-1, *[1] * (weight.ndim - 1)) if scale.numel() > 1 else scale
    return weight.float() * rows.float()


def _read_autoencoder(path: Path, config: Path) -> AutoencoderKLFlux2:
    """Read an autoencoder with diffusers' names, ComfyUI's, or its makers'; in fp32."""
    weights = _read_weights(path, torch.float32)
    statistics = {key: weights[key] for key in _STATISTICS}
    if not any(".resnets." in key for key in weights):
        renamed = {}
        for key, weight in weights.items():
            old = next((each for each in _MOVED if key.startswith(each)), "")
            renamed[_MOVED.get(old, "") + key.removeprefix(old)] = weight
        weights = convert_ldm_vae_checkpoint(renamed, AutoencoderKLFlux2.load_config(config))
    with init_empty_weights(include_buffers=False):
        vae = AutoencoderKLFlux2.from_config(AutoencoderKLFlux2.load_config(config))
    vae.load_state_dict(weights | statistics, strict=False, assign=True)
    return vae.float()


def _read_text_encoder(path: Path, config: Path, dtype: torch.dtype) -> Qwen3ForCausalLM:
    """Read as many layers of the language model as the transformer is conditioned by."""
    settings = Qwen3Config.from_pretrained(config, local_files_only=True)
    settings.num_hidden_layers = min(settings.num_hidden_layers, text.LAYERS_READ)
    settings.layer_types = settings.layer_types[: settings.num_hidden_layers]
    with init_empty_weights(include_buffers=False):
        encoder = Qwen3ForCausalLM(settings)
    wanted = set(encoder.state_dict())
    weights = _read_weights(path, dtype)
    encoder.load_state_dict(
        {key: weight for key, weight in weights.items() if key in wanted}, strict=False, assign=True
    )
    encoder.tie_weights()
    return encoder.to(dtype)


def _read_tokenizer(files: BaseModelFiles, data_dir: Path) -> Qwen2TokenizerFast:
    config = Qwen3Config.from_pretrained(files.configs / "text_encoder", local_files_only=True)
    sizes = range(config.vocab_size - _MOST_SPECIAL_TOKENS, config.vocab_size + 1)
    folder = find_tokenizer(files, sizes, data_dir)
    if folder is None:
        raise ModelMissing(
            f"{files.path.name} does not carry Qwen's vocabulary, which turns words into numbers, "
            "and none is on this machine. Add the folder of your ComfyUI, which has it, with: "
            "modelsheet models add FOLDER"
        )
    tokenizer = Qwen2TokenizerFast.from_pretrained(folder, local_files_only=True)
    tokenizer.add_tokens(list(_SPECIAL_TOKENS), special_tokens=True)  # which are not there yet
    tokenizer.pad_token = _SPECIAL_TOKENS[0]
    if not tokenizer.chat_template:
        tokenizer.chat_template = _CHAT_TEMPLATE
    return tokenizer
