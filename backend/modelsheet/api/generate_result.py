"""Results of a generate job: images, contact sheet, and the parameters that made each image."""

from __future__ import annotations

from typing import Literal

from modelsheet.api.generate import GenerateRequest, SamplerName
from modelsheet.api.types import ApiModel, Count, Pixels, Seed, Sha256


class SubjectUse(ApiModel):
    """A subject as it was when an image of it was generated.

    `lora` and `lora_sha256` are the name and the hash of its file for A1111, where it has one.
    """

    id: str
    name: str
    identifier: str
    class_noun: str
    adapter_sha256: str
    lora: str = ""
    lora_sha256: str = ""


class GenerationParameters(ApiModel):
    """Parameters that made one image; sending `request` again reproduces it.

    `text` is the text encoder's input; `width` and `height` are those of the denoised image.
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


class GeneratedImage(ApiModel):
    """An image as raw straight-alpha BGRA8 in a blob, with its generation parameters (`recipe`).

    A preview has no `recipe`. `parameters` is the recipe as the text that other tools read from a
    PNG.
    """

    blob: Sha256
    width: Pixels
    height: Pixels
    seed: Seed
    prompt: str
    label: str = ""
    recipe: GenerationParameters | None = None
    parameters: str = ""


class GenerateResult(ApiModel):
    """Images of a generate job.

    `sheet` shows a grid with its axes, or the poses' frames side by side, `columns` in a row.
    """

    kind: Literal["generate"] = "generate"
    images: list[GeneratedImage]
    sheet: GeneratedImage | None = None
    columns: Count = 0
    warnings: list[str] = []
