"""Request bodies of the backend's API; a test compares them with the backend's own models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Union

from ..view_names import VIEWS


@dataclass(frozen=True)
class ImageRef:
    """Reference to an image: the blob, named by its sha256, has straight-alpha BGRA8 bytes."""

    blob: str
    width: int
    height: int
    name: str = ""


@dataclass(frozen=True)
class MaskRef:
    """Reference to a selection mask: the blob has one byte per pixel, 255 inside."""

    blob: str
    width: int
    height: int


@dataclass(frozen=True)
class Region:
    """Masked part of the image with its own prompt, which names the subject to paint there."""

    prompt: str
    mask: MaskRef


@dataclass(frozen=True)
class LearnRequest:
    """Learn a subject from images; an empty identifier is chosen by the backend.

    The subject that it `replaces` goes to the trash once this one is learnt.
    """

    name: str
    class_noun: str
    identifier: str
    preset: str
    base_model: str
    images: tuple[ImageRef, ...]
    captions: tuple[str, ...] | None = None
    replaces: str = ""
    kind: str = "learn"


@dataclass(frozen=True)
class Axis:
    """Parameter that varies along one side of a grid, and its values."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Explore:
    """Grid of images over the values of one or two parameters."""

    across: Axis
    down: Axis | None = None


@dataclass(frozen=True)
class PixelArt:
    """Reduce results to the pixel grid and few colours."""

    palette: str = "picture"
    colours: int = 16


@dataclass(frozen=True)
class GenerateRequest:
    """Generate images; None and 0 leave the choice to the base model."""

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
    regions: tuple[Region, ...] = ()
    trim: bool = False
    pixel_art: PixelArt | bool | None = None  # None: as the subjects' layers; False: not
    explore: Explore | None = None
    variation_seed: int = 0
    variation_strength: float = 0.0
    subjects_by: str = "adapter"  # or references, both
    kind: str = "generate"


@dataclass(frozen=True)
class DescribeRequest:
    """Suggest class nouns and identifiers for images, or return them as they would be learnt."""

    base_model: str
    images: tuple[ImageRef, ...]
    nouns: bool = True
    prepared: bool = False
    kind: str = "describe"


@dataclass(frozen=True)
class Drawing:
    """Drawing of a character from one side; without a view the backend finds it out."""

    image: ImageRef
    view: str | None = None


@dataclass(frozen=True)
class FigureFit:
    """Position of a mannequin of type `body` in a drawing, in its px; rows go down."""

    body: str
    top: float
    neck: float
    feet: float
    centre: float
    head_width: float
    body_width: float


@dataclass(frozen=True)
class OwnAction:
    """Action of the artist's own: grey figures as frames, seen from one side."""

    name: str
    view: str
    mannequins: tuple[ImageRef, ...]
    frame_ms: int = 100


@dataclass(frozen=True)
class AnimateRequest:
    """Draw the key views of a character and, from these, the frames of actions.

    Without drawings the subject, written @name, gives its pictures. `size`: the side of a frame in
    px, None as drawn.
    """

    drawings: tuple[Drawing, ...] = ()
    subject: str | None = None
    views: tuple[str, ...] = VIEWS
    actions: tuple[str, ...] = ()
    own_actions: tuple[OwnAction, ...] = ()
    fit: FigureFit | None = None
    size: int | None = None
    kind: str = "animate"


@dataclass(frozen=True)
class DownloadRequest:
    """Download a model."""

    model: str
    kind: str = "download"


@dataclass(frozen=True)
class ImportRequest:
    """Import a LoRA file from the blobs `parts`; an empty identifier means the file's own."""

    name: str
    class_noun: str
    identifier: str
    base_model: str
    parts: tuple[str, ...]
    file_name: str = ""


# The last is a request as the backend stored it with a result, to be sent again.
Request = Union[
    LearnRequest,
    GenerateRequest,
    DescribeRequest,
    AnimateRequest,
    DownloadRequest,
    "dict[str, Any]",
]
