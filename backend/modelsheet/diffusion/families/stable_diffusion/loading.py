"""Load a Stable Diffusion from its files into memory."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from diffusers.loaders.single_file_utils import SingleFileComponentError

from modelsheet.base_models.ip_adapter import find_ip_adapter
from modelsheet.base_models.locate import BaseModelFiles
from modelsheet.diffusion.families.stable_diffusion.model import StableDiffusion, prepare_base
from modelsheet.diffusion.families.stable_diffusion.pipelines import read_folder, read_single_file
from modelsheet.diffusion.families.stable_diffusion.precision import choose_dtype
from modelsheet.diffusion.models import adapter_hypernetwork
from modelsheet.diffusion.models.base_model import Pipeline
from modelsheet.errors import ModelMissing


def load(files: BaseModelFiles, data_dir: Path, device: torch.device) -> StableDiffusion:
    """Load a base model, frozen and in eval mode. Raises ModelMissing, UnsafeModel."""
    dtype, pipeline = _read_pipeline(files, data_dir, device)
    pipeline.set_progress_bar_config(disable=True)
    find = partial(find_ip_adapter, files.family, files.configs, data_dir)
    hypernetwork = files.configs / adapter_hypernetwork.FILE
    return prepare_base(
        StableDiffusion(
            files.id,
            files.family,
            pipeline,
            device,
            dtype,
            find,
            hypernetwork if hypernetwork.is_file() else None,
        )
    )


def _read_pipeline(
    files: BaseModelFiles, data_dir: Path, device: torch.device
) -> tuple[torch.dtype, Pipeline]:
    try:
        dtype = choose_dtype(device, files.configs)
        if files.is_single_file:
            return dtype, read_single_file(files, data_dir, dtype)
        return dtype, read_folder(files, dtype)
    except torch.OutOfMemoryError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SingleFileComponentError) as error:
        raise ModelMissing(
            f"{files.path} cannot be loaded as a Stable Diffusion model: {error}. "
            "Give a folder in diffusers' layout, or a checkpoint, of SD 1.5 or SDXL."
        ) from error
