"""A base model as a folder in diffusers' layout: whether it is whole and safe to load. No torch."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from modelsheet.api.types import Family
from modelsheet.errors import ModelMissing, UnsafeModel
from modelsheet.files.safetensors_file import read_header

MODEL_INDEX = "model_index.json"  # what every folder in Stable Diffusion's layout begins with
_PARTS = {
    "unet": "UNet",
    "vae": "autoencoder (VAE)",
    "text_encoder": "text encoder",
    "text_encoder_2": "second text encoder",
    "image_encoder": "image encoder",
}
_NEEDED = ("unet", "vae", "text_encoder")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_VOCABULARIES = (("tokenizer.json",), ("vocab.json", "merges.txt"))
# As in Karras et al. 2022 and in rectified flows: our noise would be wrong for them.
_OTHER_SCHEDULES = ("EDM", "FlowMatch")


def check_folder(folder: Path) -> None:
    """Look at each part's weights, without loading them.

    Raises ModelMissing: no such folder or a part is not there. UnsafeModel: damaged, or a pickle.
    """
    index = _index(folder)
    is_xl = family_of_folder(folder) == "sdxl"
    for part in _NEEDED + ("text_encoder_2",) * is_xl:
        if not _is_given(index, part):
            raise ModelMissing(
                f"{folder} has no {_PARTS[part]}, and nothing can be learnt or painted without "
                "one. Get the whole model."
            )
    for part in _PARTS:
        if _is_given(index, part):
            _check_part(folder / part, _PARTS[part])
    _check_unet(folder / "unet" / "config.json")
    for name in ("tokenizer",) + ("tokenizer_2",) * is_xl:
        _check_tokenizer(folder / name)
    _check_scheduler(folder / "scheduler" / "scheduler_config.json")


def family_of_folder(folder: Path) -> Family:
    """SDXL has two text encoders."""
    index = _index(folder)
    is_xl = "XL" in str(index.get("_class_name", "")) or _is_given(index, "text_encoder_2")
    return "sdxl" if is_xl else "sd15"


def variant_of(folder: Path) -> str | None:
    """Return "fp16" where the UNet is there in half precision only."""
    files = [path.name for path in weights_in(folder / "unet")]
    return "fp16" if files and all(".fp16" in name for name in files) else None


def weights_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.safetensors") if path.is_file())


def size_of(path: Path) -> int:
    """Bytes of a file or of all files in a folder."""
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def modified_ns(path: Path) -> int:
    """When a file, or any file in a folder, was last changed, in Unix nanoseconds."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return max((file.stat().st_mtime_ns for file in files), default=0)


def _index(folder: Path) -> dict[str, Any]:
    try:
        index = json.loads((folder / MODEL_INDEX).read_text("utf-8"))
    except FileNotFoundError:
        raise ModelMissing(
            f"{folder} is no model in diffusers' layout: it has no {MODEL_INDEX}. Name the folder "
            "that holds unet, vae, text_encoder and tokenizer."
        ) from None
    except (OSError, ValueError):
        raise ModelMissing(f"{folder / MODEL_INDEX} cannot be read. Get the model again.") from None
    if not isinstance(index, dict):
        raise ModelMissing(f"{folder / MODEL_INDEX} is damaged. Get the model again.")
    return index


def _is_given(index: dict[str, Any], part: str) -> bool:
    """An absent part stands in the index as [null, null]."""
    return bool(index.get(part)) and index[part] != [None, None]


def _check_part(folder: Path, what: str) -> None:
    files = weights_in(folder)
    if not files and any(path.suffix in _PICKLES for path in folder.glob("*")):
        raise UnsafeModel(
            f"{folder} has its weights only as a pickle, which can run programs when it is "
            "opened. Get the model with .safetensors files."
        )
    if not files or not (folder / "config.json").is_file():
        raise ModelMissing(f"{folder} is empty or lacks its config.json: there is no {what}.")
    for file in files:
        state = file.stat()
        fault = _fault_of_file(file, state.st_mtime_ns, state.st_size)
        if fault:
            raise UnsafeModel(f"The {what} in {folder} cannot be used: {fault}")


def _check_unet(file: Path) -> None:
    config = _read(file)
    if config.get("in_channels", 4) != 4:
        raise UnsafeModel(
            f"{file.parent.parent} is made for inpainting or editing. Take the ordinary version of "
            "the model."
        )
    if config.get("cross_attention_dim") == 1024:
        raise UnsafeModel(
            f"{file.parent.parent} is a Stable Diffusion 2. Only SD 1.5 and SDXL can be used."
        )


def _read(file: Path) -> dict[str, Any]:
    """Read a config file. Raises ModelMissing."""
    try:
        config = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):
        config = None
    if not isinstance(config, dict):
        raise ModelMissing(f"{file} is missing or damaged. Get the whole model.")
    return config


def _check_tokenizer(folder: Path) -> None:
    if not any(all((folder / name).is_file() for name in names) for names in _VOCABULARIES):
        raise ModelMissing(
            f"{folder} has no vocabulary, and no prompt can be read without one. "
            "Get the whole model."
        )


def _check_scheduler(file: Path) -> None:
    config = _read(file)
    name, predicts = str(config.get("_class_name", "")), config.get("prediction_type", "epsilon")
    if predicts not in ("epsilon", "v_prediction") or name.startswith(_OTHER_SCHEDULES):
        raise UnsafeModel(
            f"{file.parent.parent} was trained with another kind of noise ({name}, {predicts}) "
            "than SD 1.5 and SDXL. Only models of their kinds can be used."
        )


@functools.lru_cache(maxsize=256)
def _fault_of_file(file: Path, modified_ns: int, size: int) -> str:
    """Read a header once for each state of the file: models are listed often."""
    try:
        read_header(file)
    except UnsafeModel as error:
        return str(error)
    return ""
