"""Load a FLUX.2 klein into memory: from a folder in diffusers' layout, or from its parts' files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers import Flux2KleinPipeline, PipelineQuantizationConfig

from modelsheet.base_models.diffusers_folder import variant_of
from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.families.flux2.model import Flux2Klein, prepare_base
from modelsheet.diffusion.families.flux2.part_files import read_part_files
from modelsheet.diffusion.families.flux2.precision import choose_precision, quantization_config
from modelsheet.diffusion.models.base_model import Pipeline
from modelsheet.diffusion.models.loaded_weights import (
    check_finite,
    check_no_meta_weights,
    check_text_weights,
)
from modelsheet.errors import ModelMissing

_PARTS = ("transformer", "vae", "text_encoder")
_WIDE = 640  # channels; a transformer so small as to be a test's is as well in fp32


def load(files: BaseModelFiles, data_dir: Path, device: torch.device) -> Flux2Klein:
    """Load a base model, frozen and in eval mode. Raises ModelMissing, UnsafeModel."""
    try:
        dtype = choose_dtype(device, files.configs)
        precision = choose_precision(device)
        quantised = quantization_config(precision.bits)
        if files.is_single_file:
            pipeline = read_part_files(files, data_dir, dtype, quantised)
        else:
            pipeline = _read_folder(files, dtype, quantised)
        check_no_meta_weights(pipeline, _PARTS, files)
        check_finite(pipeline, _PARTS, files)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise ModelMissing(
            f"{files.path} cannot be loaded as a FLUX.2 klein: {error}. Give a folder in "
            "diffusers' layout."
        ) from error
    pipeline.set_progress_bar_config(disable=True)
    return prepare_base(
        Flux2Klein(files.id, files.family, pipeline, device, dtype, precision_note=precision.note)
    )


def choose_dtype(device: torch.device, configs: Path) -> torch.dtype:
    """Return bf16: fp16 overflows, and in fp32 the model would take 30 GB. A tiny one on a CPU is
    in fp32. `configs` is the folder with transformer/config.json.
    """
    config = json.loads((configs / "transformer" / "config.json").read_text("utf-8"))
    width = config["num_attention_heads"] * config["attention_head_dim"]
    is_tiny = device.type == "cpu" and width < _WIDE
    return torch.float32 if is_tiny else torch.bfloat16


def _read_folder(files: BaseModelFiles, dtype: torch.dtype, quantised: Any | None) -> Pipeline:
    """Read the pipeline; its autoencoder in fp32, whatever `dtype`, its transformer `quantised` by
    a quantization_config.
    """
    mapping = {"transformer": quantised}
    config = None if quantised is None else PipelineQuantizationConfig(quant_mapping=mapping)
    pipeline = Flux2KleinPipeline.from_pretrained(
        files.path,
        dtype={"default": dtype, "vae": torch.float32},
        variant=variant_of(files.path),
        quantization_config=config,
        local_files_only=True,
        use_safetensors=True,
    )
    check_text_weights(pipeline, ("text_encoder",), files)
    return pipeline
