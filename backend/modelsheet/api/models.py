"""Base models and downloads, and the capabilities of a service."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from modelsheet.api.types import Count, Family, Model, Pixels, one_line

Downloadable = Literal["sd15", "sdxl", "clip", "matting"]


class DownloadRequest(Model):
    """Fetch a model from its hub; what was fetched before a cancellation is not fetched again."""

    kind: Literal["download"] = "download"
    model: Downloadable


class DownloadResult(Model):
    kind: Literal["download"] = "download"
    model: Downloadable
    size_bytes: Count
    warnings: list[str] = []


class BaseModelView(Model):
    id: str
    family: Family
    resolution: Pixels
    available: bool
    note: str = ""


class ModelView(Model):
    """A model on this machine or one that can be downloaded. `kind` "naming" is the CLIP that
    guesses class nouns and measures likeness, "matting" cuts figures out; `size_bytes` of a missing
    one is what it will have.
    """

    id: str
    kind: Literal["base", "naming", "matting"]
    family: Family | None = None
    state: Literal["ready", "missing", "faulty"]
    path: str = ""
    size_bytes: Count = 0
    licence: str = ""
    note: str = ""


class ModelList(Model):
    models: list[ModelView]


class AddModelRequest(Model):
    """Name a model of the service's machine: a folder in diffusers' layout, a .safetensors
    checkpoint, or the folder of a ComfyUI or A1111 with its checkpoints. It stays where it lies.

    `config` is a folder of config files for a checkpoint of another build than usual.
    """

    path: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(one_line)]
    name: Annotated[str, Field(max_length=100), AfterValidator(one_line)] = ""
    config: Annotated[str, Field(max_length=4096), AfterValidator(one_line)] = ""
    prediction_type: Literal["", "epsilon", "v_prediction"] = ""


class Capabilities(Model):
    """What this service is and has, and in sentences what its machine lacks; the plugin refuses
    another major `api`.
    """

    api: str
    version: str
    boot_id: str
    base_models: list[BaseModelView]
    presets: list[str]
    samplers: list[str] = []
    limits: dict[str, int]
    shortcomings: list[str] = []
