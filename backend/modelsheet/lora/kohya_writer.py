"""Write a LoRA in kohya's format, which ComfyUI, A1111, Forge and Krita AI Diffusion load.

Each file is read back and compared before it is returned.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

import numpy as np
import numpy.typing as npt

import modelsheet
from modelsheet.api.types import Family
from modelsheet.errors import ModelsheetError, UnsafeModel
from modelsheet.files.safetensors_file import encode_safetensors
from modelsheet.lora.factors import LoraFactors, delta_distance, delta_norm
from modelsheet.lora.fused_layers import fuse
from modelsheet.lora.key_mapping import DENOISERS, KeyLayout
from modelsheet.lora.layer_shapes import LayerKey
from modelsheet.lora.reader import read_lora

_FILE_NAME = "exported.safetensors"
# Relative. Rounding both factors to fp16 changes ΔW by about 2^-11; three times that cannot be due
# to rounding.
_TOLERANCE = 1.5e-3
_VERSIONS: dict[Family, str] = {  # by which A1111 and kohya detect the family
    "sd15": "sd_v1",
    "sdxl": "sdxl_base_v1-0",
    "sprite32": "sprite32",
    "flux2-klein": "flux_2_klein_4b",  # of musubi-tuner, kohya's trainer for it
}
_ARCHITECTURES: dict[Family, str] = {
    "sd15": "stable-diffusion-v1/lora",
    "sdxl": "stable-diffusion-xl-v1-base/lora",
    "sprite32": "sprite32/lora",
    "flux2-klein": "Flux.2-klein-4b/lora",
}

_NO_SPRITE32 = " ComfyUI, A1111 and Forge have no sprite32: the file is for diffusers."


@dataclass(frozen=True)
class LoraMetadata:
    """Metadata of an exported subject; `resolution` in px, `created` in Unix seconds.

    `output_name` is the name in A1111's <lora:…>, whatever the file is called.
    """

    title: str
    output_name: str
    identifier: str
    class_noun: str
    base_model: str
    resolution: int
    training_steps: int
    image_count: int
    seed: int
    created: float
    has_embedding: bool = False
    has_decoder: bool = False

    @property
    def trigger(self) -> str:
        return f"{self.identifier} {self.class_noun}".strip()

    @property
    def usage_hint(self) -> str:
        hint = f"Write “{self.trigger}” in the prompt; strength 1."
        if self.has_embedding:
            hint = (
                f"{self.identifier!r} was learnt too: export it as an embedding, and write the "
                f"embedding's name and “{self.class_noun}” in the prompt; strength 1."
            )
        if self.has_decoder:
            hint += " Its own decoder stays behind: other programs paint its colours duller."
        return hint


def write_kohya(
    factors: Mapping[LayerKey, LoraFactors], layout: KeyLayout, metadata: LoraMetadata
) -> bytes:
    """Return the file's bytes: fp16, or fp32 where the error of fp16 exceeds the tolerance.

    Raises UnsafeModel: the adapter changes nothing. ModelsheetError: the file read back differs.
    """
    worst = 0.0
    fused = fuse(factors, layout)
    for dtype in (np.float16, np.float32):
        content = _encode(fused, layout, metadata, dtype)
        worst = _largest_error(factors, content, layout)
        if worst <= _TOLERANCE:
            return content
    raise ModelsheetError(
        f"The exported file read back differs from what was learnt, by {worst:.1%} of it. "
        "Nothing was written; please report this."
    )


def _encode(
    factors: Mapping[LayerKey, LoraFactors],
    layout: KeyLayout,
    metadata: LoraMetadata,
    dtype: type[np.float16] | type[np.float32],
) -> bytes:
    tensors: dict[str, npt.NDArray[np.floating]] = {}
    with np.errstate(over="ignore"):  # beyond fp16's range: infinite, which the comparison sees
        for key, each in factors.items():
            name, shape = layout.kohya_name(key), layout.shapes[key]
            down = each.down_of(shape.kernel, shape.columns)
            tensors[f"{name}.lora_up.weight"] = each.up_of(shape.kernel).astype(dtype)
            tensors[f"{name}.lora_down.weight"] = down.astype(dtype)
            # The scale is folded into the weights: programs differ in how they read mixed alphas.
            tensors[f"{name}.alpha"] = np.array(each.rank, dtype)
    sums = _checksums(encode_safetensors(tensors, {}))
    return encode_safetensors(tensors, {**_metadata(factors, layout, metadata), **sums})


def _largest_error(
    factors: Mapping[LayerKey, LoraFactors], content: bytes, layout: KeyLayout
) -> float:
    """Read the file back and return the largest error of a layer.

    Relative to the largest Frobenius norm of all layers' updates.
    """
    try:
        read = read_lora(content, layout, _FILE_NAME).factors
    except UnsafeModel:
        if any(each.up.any() and each.down.any() for each in factors.values()):
            return float("inf")
        raise UnsafeModel(
            "This adapter changes nothing: all its weights are zero. Learn the subject again."
        ) from None
    if factors.keys() - read.keys():
        return float("inf")
    scale = max(delta_norm(each) for each in factors.values())
    return max(_error(factors.get(key), each) for key, each in read.items()) / scale


def _error(learnt: LoraFactors | None, read: LoraFactors) -> float:
    """Return the error of a layer; one that was not learnt is zero, a part of a fused one."""
    return delta_norm(read) if learnt is None else delta_distance(learnt, read)


def _checksums(content: bytes) -> dict[str, str]:
    """Return checksums of the weights alone, as A1111 and the model specification define them."""
    (length,) = struct.unpack_from("<Q", content)
    digest = hashlib.sha256(content[8 + length :]).hexdigest()
    return {"sshs_model_hash": digest, "modelspec.hash_sha256": f"0x{digest}"}


def _metadata(
    factors: Mapping[LayerKey, LoraFactors], layout: KeyLayout, metadata: LoraMetadata
) -> dict[str, str]:
    in_unet = [each.rank for key, each in factors.items() if key.component in DENOISERS]
    rank = str(max(in_unet or [each.rank for each in factors.values()]))
    side = str(metadata.resolution)
    # At least 1, for an imported subject's images are unknown, and of 0 A1111 suggests nothing.
    tags = json.dumps({"subject": {metadata.trigger: max(1, metadata.image_count)}})
    date = datetime.fromtimestamp(metadata.created, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    convolutions = [e.rank for s, e in factors.items() if layout.shapes[s].kernel > 1]
    extra = {"conv_dim": max(convolutions), "conv_alpha": max(convolutions)} if convolutions else {}
    return {
        "ss_v2": "False",
        "ss_base_model_version": _VERSIONS[layout.family],
        "ss_network_module": "networks.lora",
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
        "ss_network_args": json.dumps({name: str(value) for name, value in extra.items()}),
        "ss_output_name": metadata.output_name,
        "ss_sd_model_name": metadata.base_model,
        "ss_steps": str(metadata.training_steps),
        "ss_num_train_images": str(metadata.image_count),
        "ss_seed": str(metadata.seed),
        "ss_resolution": f"({side}, {side})",
        "ss_tag_frequency": tags,
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": _ARCHITECTURES[layout.family],
        "modelspec.implementation": "diffusers",
        "modelspec.title": metadata.title,
        "modelspec.resolution": f"{side}x{side}",
        "modelspec.description": f"Learnt by Modelsheet {modelsheet.__version__}.",
        "modelspec.date": date,
        "modelspec.trigger_phrase": metadata.trigger,
        "modelspec.usage_hint": metadata.usage_hint + _NO_SPRITE32 * (layout.family == "sprite32"),
    }
