"""Find an IP-Adapter for a base model, and the image encoder that it was trained with: in the data
folder, and in the folders of ComfyUI, A1111, Forge, StabilityMatrix and SwarmUI.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from modelsheet.api.types import Family
from modelsheet.base_models.families import FAMILIES, REFERENCE_FAMILIES
from modelsheet.base_models.installation_folders import INNER_FOLDERS, extra_folders
from modelsheet.base_models.user_models import read_registry
from modelsheet.errors import UnsafeModel
from modelsheet.files.json_file import read_json_object
from modelsheet.files.safetensors_file import read_header

_PARENTS = ("", "models", "Models")
_ADAPTER_FOLDERS = ("ipadapter", "ip-adapter", "IpAdapter", "ControlNet", "controlnet")
_ENCODER_FOLDERS = ("clip_vision", "ClipVision", "ipadapter", "ip-adapter")
# Made for faces of people, or for the composition of a picture.
_OTHERS = ("face", "composition")
_FIRST_KEY = "ip_adapter.1.to_k_ip.weight"
_PROJECTION, _RESAMPLER = "image_proj.proj.weight", "image_proj.proj_in.weight"
_CLASS_EMBEDDING = "vision_model.embeddings.class_embedding"
_VISUAL_PROJECTION = "visual_projection.weight"


@dataclass(frozen=True)
class IpAdapterFiles:
    """An adapter's file and that of its image encoder, a CLIP in transformers' names."""

    adapter: Path
    image_encoder: Path


def find_ip_adapter(family: Family, configs: Path, data_dir: Path) -> IpAdapterFiles | None:
    """Return the files of an IP-Adapter for a base model with these config files, one of many
    tokens a picture before one of few; None where its family has none, or they are not there.
    """
    if not FAMILIES[family].ip_adapter:
        return None
    try:
        width = read_json_object(configs / "unet" / "config.json").get("cross_attention_dim")
    except (OSError, ValueError):
        return None
    found = [
        (_RESAMPLER not in shapes, adapter.name, adapter, shapes)
        for adapter in _files_in(_ADAPTER_FOLDERS, data_dir)
        if (shapes := _shapes_of(adapter)).get(_FIRST_KEY, (0,))[-1] == width
        and not any(word in adapter.name.lower() for word in _OTHERS)
    ]
    for _, _, adapter, shapes in sorted(found, key=lambda each: each[:2]):
        for encoder in _files_in(_ENCODER_FOLDERS, data_dir):
            if _fits(shapes, _shapes_of(encoder)):
                return IpAdapterFiles(adapter, encoder)
    return None


def references_note(model_id: str, family: Family, found: IpAdapterFiles | None) -> str:
    """Return a sentence why a base model takes no reference pictures; "" if it takes them."""
    facts = FAMILIES[family]
    if facts.takes_references or found is not None:
        return ""
    if not facts.ip_adapter:
        return (
            f"{model_id} takes no reference pictures. Learn the subject, or take a base model of "
            f"one of these: {REFERENCE_FAMILIES}."
        )
    return (
        f"{model_id} takes reference pictures through an IP-Adapter, and there is none. Put "
        f"{facts.ip_adapter} into models/ipadapter of the data folder and its image encoder, "
        "CLIP-ViT-H-14 as .safetensors, into models/clip_vision; or add the folder of a ComfyUI "
        "that has both; or learn the subject."
    )


def _fits(adapter: Mapping[str, tuple[int, ...]], encoder: Mapping[str, tuple[int, ...]]) -> bool:
    """Tell if an adapter reads what the encoder gives: its last state, or its projection."""
    read = _RESAMPLER if _RESAMPLER in adapter else _PROJECTION
    given = _CLASS_EMBEDDING if _RESAMPLER in adapter else _VISUAL_PROJECTION
    if read not in adapter or not {_CLASS_EMBEDDING, _VISUAL_PROJECTION} <= set(encoder):
        return False
    return adapter[read][1] == encoder[given][0]


def _files_in(names: tuple[str, ...], data_dir: Path) -> Iterator[Path]:
    """Yield the safetensors files in folders of these names, and one folder below them."""
    installed = [Path(each.path) for each in read_registry(data_dir).installations]
    programs = [path / inner for path in installed for inner in INNER_FOLDERS]
    for root in (data_dir, *programs):
        likely = (root / parent / name for parent in _PARENTS for name in names)
        for folder in (*likely, *extra_folders(root, names)):
            for pattern in ("*.safetensors", "*/*.safetensors"):
                yield from sorted(folder.glob(pattern))


def _shapes_of(file: Path) -> Mapping[str, tuple[int, ...]]:
    return _read_shapes(file, file.stat().st_mtime_ns)


@functools.lru_cache(maxsize=64)
def _read_shapes(file: Path, modified_ns: int) -> Mapping[str, tuple[int, ...]]:
    """Return the shapes of a file's tensors, none of one that cannot be read."""
    try:
        return {key: entry.shape for key, entry in read_header(file).entries.items()}
    except (OSError, UnsafeModel):
        return {}
