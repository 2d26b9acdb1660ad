"""Load diffusers pipelines from local files: folders, and single-file checkpoints with config files
of ours. Nothing is downloaded, and only safetensors are read.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors import safe_open
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from modelsheet.api.types import Family
from modelsheet.base_models.diffusers_folder import variant_of
from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.base_models.single_file import OLD_TEXT_ENCODER, UNET_PREFIX
from modelsheet.base_models.vocabularies import find_vocabulary
from modelsheet.diffusion.models.base_model import Pipeline
from modelsheet.diffusion.models.loaded_weights import (
    check_finite,
    check_no_meta_weights,
    check_none_missing,
    check_text_weights,
    paths_of,
)
from modelsheet.errors import UnsafeModel
from modelsheet.files.safetensors_file import read_header
from modelsheet.lora.base_model_keys import key_layout_of
from modelsheet.lora.key_mapping import UNET

_TEXT_ENCODERS = ("text_encoder", "text_encoder_2")
_PARTS = ("unet", "vae", *_TEXT_ENCODERS)
_INNER = "text_model."  # a text encoder's inner module, in the keys of some versions only
# Components that a folder may list and we have no use for: neither downloaded nor loaded.
_SAFETY = {"safety_checker": None, "requires_safety_checker": False}
_UNUSED: dict[Family, dict[str, Any]] = {
    "sprite32": {"feature_extractor": None, **_SAFETY},
    "sd15": {"feature_extractor": None, **_SAFETY},
    "sdxl": {"feature_extractor": None},
}


def read_folder(files: BaseModelFiles, dtype: torch.dtype) -> Pipeline:
    """Read a folder in diffusers' layout; its autoencoder in fp32, whatever `dtype`.

    Raises UnsafeModel when weights are missing.
    """
    pipeline = _pipeline_class(files).from_pretrained(
        files.path,
        dtype={"default": dtype, "vae": torch.float32},
        variant=variant_of(files.path),
        local_files_only=True,
        use_safetensors=True,
        **_UNUSED[files.family],
    )
    check_no_meta_weights(pipeline, _PARTS, files)
    check_text_weights(pipeline, _TEXT_ENCODERS, files)
    check_finite(pipeline, _PARTS, files)
    _limit_prompt_lengths(pipeline)
    return _with_prediction_type(pipeline, files)


def read_single_file(files: BaseModelFiles, data_dir: Path, dtype: torch.dtype) -> Pipeline:
    """Read a checkpoint of A1111 or ComfyUI; its autoencoder in fp32, whatever `dtype`.

    Raises UnsafeModel when weights are missing, ModelMissing without CLIP's vocabulary.
    """
    _check_unet(files)
    configs = str(files.configs)
    pipeline = _pipeline_class(files).from_single_file(
        str(files.path),
        config=configs,
        local_files_only=True,
        dtype=dtype,
        vae=AutoencoderKL.from_single_file(
            str(files.path), config=configs, subfolder="vae", local_files_only=True
        ),
        **_old_text_encoder(files, dtype),
        **_tokenizers(files, data_dir),
    )
    check_no_meta_weights(pipeline, _PARTS, files)
    check_finite(pipeline, _PARTS, files)
    return _with_prediction_type(pipeline, files)


def _old_text_encoder(files: BaseModelFiles, dtype: torch.dtype) -> dict[str, Any]:
    """Return the text encoder of a checkpoint of 2022, whose names lack the inner module.

    diffusers knows none of these. Raises UnsafeModel: it lacks weights.
    """
    keys = [key for key in read_header(files.path).entries if key.startswith(OLD_TEXT_ENCODER)]
    with safe_open(files.path, "pt") as content:
        weights = {key.removeprefix(OLD_TEXT_ENCODER): content.get_tensor(key) for key in keys}
    if "embeddings.token_embedding.weight" not in weights:
        return {}
    encoder = CLIPTextModel(
        CLIPTextConfig.from_pretrained(files.configs / "text_encoder", local_files_only=True)
    )
    wanted = dict(encoder.named_parameters())
    check_none_missing(
        (path for path in paths_of(encoder) if path not in weights), "text_encoder", files
    )
    state = {path: weights[path.removeprefix(_INNER)] for path in wanted}
    encoder.load_state_dict(state, strict=False)
    return {"text_encoder": encoder.to(dtype)}


def _limit_prompt_lengths(pipeline: Pipeline) -> None:
    """Limit tokenizers to the text encoders' window, which not every tokenizer's files state."""
    for suffix in ("", "_2"):
        tokenizer = getattr(pipeline, f"tokenizer{suffix}", None)
        if tokenizer is not None:
            window = getattr(pipeline, f"text_encoder{suffix}").config.max_position_embeddings
            tokenizer.model_max_length = min(tokenizer.model_max_length, window)


def _check_unet(files: BaseModelFiles) -> None:
    """Compare the file's UNet with its config files, layer by layer. Raises UnsafeModel."""
    layout, header = key_layout_of(files), read_header(files.path)
    for site, weight in layout.shapes.items():
        if site.component == UNET:
            entry = header.entries.get(f"{UNET_PREFIX}{layout.original_paths[site]}.weight")
            if entry is None:
                raise UnsafeModel(
                    f"{files.path.name} is not whole: its UNet lacks the layer {site.path}. "
                    "Get the whole file again."
                )
            if entry.shape[:2] != (weight.rows, weight.columns):
                raise UnsafeModel(
                    f"{files.path.name} is not built like other models of {files.family} (see "
                    f"{site.path}). Add it again with --config and a folder of its config files."
                )


def _pipeline_class(files: BaseModelFiles) -> Any:
    return StableDiffusionXLPipeline if files.family == "sdxl" else StableDiffusionPipeline


def _tokenizers(files: BaseModelFiles, data_dir: Path) -> dict[str, CLIPTokenizer]:
    config = json.loads((files.configs / "text_encoder" / "config.json").read_text("utf-8"))
    folder = find_vocabulary(files, config["vocab_size"], data_dir)
    window = config["max_position_embeddings"]
    first = CLIPTokenizer.from_pretrained(folder, model_max_length=window, local_files_only=True)
    if files.family != "sdxl":
        return {"tokenizer": first}
    # SDXL's second text encoder was trained on prompts filled up with "!".
    second = CLIPTokenizer.from_pretrained(  # nosec B106 # "!" is no password
        folder, model_max_length=window, pad_token="!", local_files_only=True
    )
    return {"tokenizer": first, "tokenizer_2": second}


def _with_prediction_type(pipeline: Pipeline, files: BaseModelFiles) -> Pipeline:
    """Set the prediction type and terminal SNR where the file, or the user who added it, states
    them.
    """
    wanted: dict[str, Any] = {}
    if files.prediction_type:
        wanted["prediction_type"] = files.prediction_type
    if files.has_zero_snr:
        # Lin et al. 2023: such a model must begin at the last timestep.
        wanted |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    if wanted:
        scheduler = pipeline.scheduler
        pipeline.scheduler = type(scheduler).from_config(scheduler.config, **wanted)
    return pipeline
