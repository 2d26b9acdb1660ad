"""Base models and downloads."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from modelsheet.api.types import ApiModel, Count, Family, one_line

Downloadable = Literal["sd15", "sdxl", "flux2-klein", "flux2-klein-distilled", "clip", "matting"]


class DownloadRequest(ApiModel):
    """Download a model from its hub; a cancelled download resumes."""

    kind: Literal["download"] = "download"
    model: Downloadable


class DownloadResult(ApiModel):
    kind: Literal["download"] = "download"
    model: Downloadable
    size_bytes: Count
    warnings: list[str] = []


class BaseModelView(ApiModel):
    """A base model; `note` says what to do where it is not available.

    `resolution` in px. One that cannot be read has no `family`, and a `resolution` of 0. It paints
    with `samplers` alone, and textures with seamless edges where it `tiles_seamlessly`. One that
    `is_distilled` paints in few steps, and subjects are learnt on another of its family.
    `references_note` says what to do where it does not take reference pictures.
    """

    id: str
    family: Family | None
    resolution: Annotated[int, Field(ge=0, le=8192)]
    available: bool
    note: str = ""
    samplers: list[str] = []
    tiles_seamlessly: bool = True
    is_distilled: bool = False
    takes_references: bool = False
    references_note: str = ""


class ModelView(ApiModel):
    """A model on this machine, or one that can be downloaded.

    `kind` "naming" is the CLIP that guesses class nouns and measures likeness, "matting" removes
    backgrounds. A base model without `family` cannot be read, for the reason in `note`.
    `size_bytes` of a missing model is its size after the download.
    """

    id: str
    kind: Literal["base", "naming", "matting"]
    family: Family | None = None
    state: Literal["ready", "missing", "faulty"]
    path: str = ""
    size_bytes: Count = 0
    licence: str = ""
    note: str = ""


class ModelList(ApiModel):
    models: list[ModelView]


class AddModelRequest(ApiModel):
    """Add a model of the service's machine by its path; its files stay where they are.

    `path` is a folder in diffusers' layout, a .safetensors checkpoint, or the folder of a ComfyUI
    or A1111 with its checkpoints. `config` is a folder of config files for an unusual checkpoint.
    """

    path: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(one_line)]
    name: Annotated[str, Field(max_length=100), AfterValidator(one_line)] = ""
    config: Annotated[str, Field(max_length=4096), AfterValidator(one_line)] = ""
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""
