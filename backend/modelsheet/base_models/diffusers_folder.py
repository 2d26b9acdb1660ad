"""Check that a folder in diffusers' layout is a complete base model that is safe to load."""

from __future__ import annotations

import functools
import os
import re
from pathlib import Path
from typing import Any

from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES
from modelsheet.errors import ModelMissing, UnsafeModel
from modelsheet.files.json_file import read_json_object
from modelsheet.files.safetensors_file import read_header

MODEL_INDEX = "model_index.json"  # present in every folder of diffusers' layout
_COMPONENTS = {
    "unet": "UNet",
    "transformer": "transformer",
    "vae": "autoencoder (VAE)",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
    "image_encoder": "image encoder",
}
# model.fp16.safetensors, or a shard of it: model.fp16-00001-of-00002.safetensors
_VARIANT = re.compile(
    r"(?:diffusion_pytorch_)?model(?:\.(\w+))?(?:-\d+-of-\d+)?(?:\.(\w+))?\.safetensors$"
)
_TEXT_ENCODER = "text_encoder"
_SHARDS = "*.safetensors.index*.json"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"))
# Karras et al. 2022 and rectified flows: DDPM noise would be wrong for them.
_OTHER_SCHEDULES = ("EDM", "FlowMatch")


def check_folder(folder: Path) -> None:
    """Check each component's headers and config files, without loading weights.

    Raises ModelMissing: folder or component missing. UnsafeModel: damaged, or a pickle.
    """
    index = _read_index(folder)
    components = FAMILIES[family_of_folder(folder)].components
    for component in components:
        if not _has_component(index, component):
            raise ModelMissing(
                f"{folder} has no {_COMPONENTS[component]}, and nothing can be learnt or "
                "painted without one. Get the whole model."
            )
    for component in _COMPONENTS:
        if _has_component(index, component):
            _check_component(folder / component, _COMPONENTS[component])
    variant_of(folder)
    for component in components:
        if component.startswith(_TEXT_ENCODER):
            _check_tokenizer(folder / component.replace(_TEXT_ENCODER, "tokenizer"))
    if "unet" in components:
        _check_unet(folder / "unet" / "config.json")
        _check_scheduler(folder / "scheduler" / "scheduler_config.json")


def family_of_folder(folder: Path) -> Family:
    """Return a folder's family by its pipeline and its text encoders, "sd15" in doubt."""
    index = _read_index(folder)
    pipeline = str(index.get("_class_name", ""))
    for family, facts in FAMILIES.items():
        if facts.pipeline and pipeline.startswith(facts.pipeline):
            return family
    is_xl = "XL" in pipeline or _has_component(index, "text_encoder_2")
    return "sdxl" if is_xl else "sd15"


def is_distilled(folder: Path) -> bool:
    """Return True if a folder's pipeline paints in few steps, with guidance distilled in."""
    return bool(_read_index(folder).get("is_distilled"))


def variant_of(folder: Path) -> str | None:
    """Return the variant ("fp16") in which all components are, where not all are in the plain one.

    diffusers takes the plain one of a component that lacks the variant. Raises ModelMissing: no
    variant serves.
    """
    of_parts = [
        found
        for component in _COMPONENTS
        if (found := _variants_in(folder / component)) and component != "image_encoder"
    ]
    candidates = [variant for found in of_parts for variant in sorted(found)]
    for variant in ("", "fp16", *candidates):
        if all(variant in found or "" in found for found in of_parts):
            return variant or None
    names = ", ".join(sorted({variant or "the plain one" for variant in candidates}))
    raise ModelMissing(
        f"{folder} has its parts in variants that do not go together: {names}. Get one of them "
        "whole."
    )


def _variants_in(folder: Path) -> set[str]:
    """Return the variants of a component's weights, "" for the plain one."""
    return {match[1] or match[2] or "" for match in map(_VARIANT.match, _names_in(folder)) if match}


def _names_in(folder: Path) -> list[str]:
    return [path.name for path in weights_in(folder)]


def weights_in(folder: Path) -> list[Path]:
    """Return a folder's safetensors files, sorted."""
    return sorted(path for path in folder.glob("*.safetensors") if path.is_file())


def size_of(path: Path) -> int:
    """Return the size in bytes of a file or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def modified_ns(path: Path) -> int:
    """Return when a file, or any file in a folder, was last modified, in Unix nanoseconds."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return max((file.stat().st_mtime_ns for file in files), default=0)


def _read_index(folder: Path) -> dict[str, Any]:
    try:
        return read_json_object(folder / MODEL_INDEX)
    except FileNotFoundError:
        raise ModelMissing(
            f"{folder} is no model in diffusers' layout: it has no {MODEL_INDEX}. Name the folder "
            "that holds unet, vae, text_encoder and tokenizer."
        ) from None
    except (OSError, ValueError):
        raise ModelMissing(f"{folder / MODEL_INDEX} cannot be read. Get the model again.") from None


def _has_component(index: dict[str, Any], component: str) -> bool:
    """Tell whether the index lists a component; an absent one is [null, null] there."""
    return bool(index.get(component)) and index[component] != [None, None]


def _check_component(folder: Path, what: str) -> None:
    try:
        os.listdir(folder)
    except FileNotFoundError:
        raise ModelMissing(f"{folder} is missing: there is no {what}.") from None
    except OSError as error:
        raise ModelMissing(
            f"{folder} cannot be read ({error.strerror}). Give the service's user the right to "
            "read it."
        ) from None
    files = weights_in(folder)
    if not files and any(path.suffix in _PICKLES for path in folder.glob("*")):
        raise UnsafeModel(
            f"{folder} has its weights only as a pickle, which can run programs when it is "
            "opened. Get the model with .safetensors files."
        )
    if not files or not (folder / "config.json").is_file():
        raise ModelMissing(f"{folder} is empty or lacks its config.json: there is no {what}.")
    _check_shards(folder, {file.name for file in files})
    for file in files:
        state = file.stat()
        fault = _file_fault(file, state.st_mtime_ns, state.st_size)
        if fault:
            raise UnsafeModel(f"The {what} in {folder} cannot be used: {fault}")


def _check_shards(folder: Path, present: set[str]) -> None:
    """Check that the shards of each index are all there, or none of them, as in another variant.

    Raises ModelMissing.
    """
    for index in folder.glob(_SHARDS):
        named = _read_config(index).get("weight_map")
        shards = set(map(str, named.values())) if isinstance(named, dict) else set()
        missing = sorted(shards - present)
        if missing and (shards & present or not _variants_in(folder)):
            raise ModelMissing(
                f"{folder} is not whole: it lacks {missing[0]}, which {index.name} names. Get the "
                "whole model."
            )


def _check_unet(file: Path) -> None:
    config = _read_config(file)
    if config.get("in_channels", 4) != 4:
        raise UnsafeModel(
            f"{file.parent.parent} is made for inpainting or editing. Take the ordinary version of "
            "the model."
        )
    if config.get("cross_attention_dim") == 1024:
        raise UnsafeModel(
            f"{file.parent.parent} is a Stable Diffusion 2. Only SD 1.5 and SDXL can be used."
        )


def _read_config(file: Path) -> dict[str, Any]:
    """Read a JSON config file. Raises ModelMissing: missing or damaged."""
    try:
        return read_json_object(file)
    except (OSError, ValueError):
        raise ModelMissing(f"{file} is missing or damaged. Get the whole model.") from None


def _check_tokenizer(folder: Path) -> None:
    if not any(all((folder / name).is_file() for name in names) for names in _VOCABULARIES):
        raise ModelMissing(
            f"{folder} has no vocabulary, and no prompt can be read without one. "
            "Get the whole model."
        )


def _check_scheduler(file: Path) -> None:
    config = _read_config(file)
    name, predicts = str(config.get("_class_name", "")), config.get("prediction_type", "epsilon")
    if predicts not in ("epsilon", "v_prediction") or name.startswith(_OTHER_SCHEDULES):
        raise UnsafeModel(
            f"{file.parent.parent} was trained with another kind of noise ({name}, {predicts}) "
            "than SD 1.5 and SDXL. Only models of their kinds can be used."
        )


@functools.lru_cache(maxsize=256)
def _file_fault(file: Path, modified_at_ns: int, size: int) -> str:
    """Return what is wrong with a weights file, or "".

    Cached by modification time and size, since models are listed often.
    """
    try:
        read_header(file)
    except UnsafeModel as error:
        return str(error)
    return ""
