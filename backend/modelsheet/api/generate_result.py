"""Results of a generate job: images, contact sheet, and the parameters that made each image."""

from __future__ import annotations

from typing import Literal

from modelsheet.api.generate import GenerateRequest, SamplerName
from modelsheet.api.types import Count, Model, Pixels, Seed, Sha256


class SubjectUse(Model):
    """A subject as it was when a picture was painted of it."""

    id: str
    name: str
    identifier: str
    class_noun: str
    adapter_sha256: str


class GenerationParameters(Model):
    """What made one picture: `request`, sent again, paints it again.

    `text` is what the text encoder read; `width` and `height` are those it was painted at.
    """

    schema_version: Literal[1] = 1
    version: str
    base_model: str
    text: str
    subjects: list[SubjectUse]
    sampler: SamplerName
    inference_steps: Count
    guidance_scale: float
    width: Pixels
    height: Pixels
    request: GenerateRequest


class GeneratedImage(Model):
    """A result: raw straight-alpha BGRA8 in a blob, and what made it; a preview has no recipe.

    `parameters` says the recipe in the words that other tools read in a PNG.
    """

    blob: Sha256
    width: Pixels
    height: Pixels
    seed: Seed
    prompt: str
    label: str = ""
    recipe: GenerationParameters | None = None
    parameters: str = ""


class GenerateResult(Model):
    """`sheet` shows a grid with its axes, or the frames of the poses side by side; `columns` of
    them in a row.
    """

    kind: Literal["generate"] = "generate"
    images: list[GeneratedImage]
    sheet: GeneratedImage | None = None
    columns: Count = 0
    warnings: list[str] = []
