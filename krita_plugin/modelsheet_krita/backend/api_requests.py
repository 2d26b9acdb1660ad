"""What the plugin asks of the backend; a test holds it to the backend's own models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union


@dataclass(frozen=True)
class ImageRef:
    """A picture whose straight-alpha BGRA8 bytes are in the blob named by their sha256."""

    blob: str
    width: int
    height: int
    name: str = ""


@dataclass(frozen=True)
class MaskRef:
    """A selection: the blob has one byte per pixel, 255 inside."""

    blob: str
    width: int
    height: int


@dataclass(frozen=True)
class LearnRequest:
    name: str
    class_noun: str
    identifier: str
    preset: str
    base_model: str
    images: tuple[ImageRef, ...]
    captions: tuple[str, ...] | None = None
    kind: str = "learn"


@dataclass(frozen=True)
class Axis:
    """What changes along one side of a grid."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Explore:
    across: Axis
    down: Axis | None = None


@dataclass(frozen=True)
class PixelArt:
    """Results on the pixel grid with few colours."""

    palette: str = "picture"
    colours: int = 16


@dataclass(frozen=True)
class GenerateRequest:
    """None and 0 leave the choice to the base model."""

    prompt: str
    count: int
    seed: int
    transparent: bool
    negative_prompt: str = ""
    width: int = 0
    height: int = 0
    sampler: str | None = None
    inference_steps: int | None = None
    guidance_scale: float | None = None
    unet_scale: float = 1.0
    text_encoder_scale: float = 1.0
    tiling: bool = False
    init_image: ImageRef | None = None
    strength: float | None = None
    mask: MaskRef | None = None
    patch: bool = False
    pixel_art: PixelArt | None = None
    explore: Explore | None = None
    variation_seed: int = 0
    variation_strength: float = 0.0
    kind: str = "generate"


@dataclass(frozen=True)
class DescribeRequest:
    base_model: str
    images: tuple[ImageRef, ...]
    kind: str = "describe"


@dataclass(frozen=True)
class DownloadRequest:
    model: str
    kind: str = "download"


@dataclass(frozen=True)
class ImportRequest:
    """A LoRA file, whose bytes are in the blobs `parts`; an empty identifier is the file's own."""

    name: str
    class_noun: str
    identifier: str
    base_model: str
    parts: tuple[str, ...]
    file_name: str = ""


# The last is a request that the backend itself once told, to be sent again.
Request = Union[LearnRequest, GenerateRequest, DescribeRequest, DownloadRequest, "dict[str, Any]"]
