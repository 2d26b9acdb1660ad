"""Write and read generation parameters in PNG chunks.

One chunk is the `parameters` text that other tools read, the other is JSON, from which
Modelsheet can generate the image again.
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, PngImagePlugin
from pydantic import ValidationError

from modelsheet.api.generate_result import GenerationParameters
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.rgba import read_png_text

PARAMETERS_KEY = "parameters"  # the key of Automatic1111's web UI, read by most tools
MODELSHEET_KEY = "modelsheet"


def parameters_text(parameters: GenerationParameters) -> str:
    """Return prompt, negative prompt and one line of settings in Automatic1111's format.

    Where the subjects' exported files can be loaded there, the prompt is what the text encoder
    read, with their tags, so that it paints the image there too; else it is the request's.
    """
    request = parameters.request
    lines = [_prompt_with_tags(parameters) or request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in _settings(parameters)))
    return "\n".join(lines)


def _prompt_with_tags(parameters: GenerationParameters) -> str:
    """Return the expanded prompt with a <lora:NAME:scale> for each subject, "" without files."""
    if not parameters.subjects or not all(use.lora for use in parameters.subjects):
        return ""
    request = parameters.request
    scale = f"{request.unet_scale:g}"
    if request.text_encoder_scale != request.unet_scale:  # A1111 has the text encoder's first
        scale = f"{request.text_encoder_scale:g}:{scale}"
    tags = (f"<lora:{use.lora}:{scale}>" for use in parameters.subjects)
    return " ".join((parameters.text, *tags))


def _settings(parameters: GenerationParameters) -> list[tuple[str, str]]:
    request = parameters.request
    settings = [("Steps", f"{parameters.inference_steps}")]
    if not _prompt_with_tags(parameters):
        # Before the seed: some readers take the last "Seed:", and a prompt may hold one.
        settings.append(("Read as", parameters.text))
    settings += [
        ("Sampler", parameters.sampler),
        ("CFG scale", f"{parameters.guidance_scale:g}"),
        ("Seed", f"{request.seed}"),
        ("Size", f"{parameters.width}x{parameters.height}"),  # not that of an enlarged sprite
        ("Model", parameters.base_model),
    ]
    if request.init_image is not None and request.strength is not None:
        settings.append(("Denoising strength", f"{request.strength:g}"))
    if request.variation_strength:
        settings.append(("Variation seed", f"{request.variation_seed}"))
        settings.append(("Variation seed strength", f"{request.variation_strength:g}"))
    if parameters.subjects:
        hashes = [
            f"{use.lora or use.name}: {(use.lora_sha256 or use.adapter_sha256)[:12]}"
            for use in parameters.subjects
        ]
        settings.append(("Lora hashes", ", ".join(hashes)))
        settings.append(("Lora scales", f"{request.unet_scale:g} {request.text_encoder_scale:g}"))
    return [*settings, ("Version", f"modelsheet {parameters.version}")]


def _quoted(value: str) -> str:
    """Quote a value that contains a separator as JSON, as that format does."""
    return json.dumps(value, ensure_ascii=False) if any(c in value for c in ',:\n"') else value


def save_png(image: Image.Image, path: Path, parameters: GenerationParameters | None) -> None:
    """Write a PNG with the generation parameters in both forms."""
    chunks = PngImagePlugin.PngInfo()
    if parameters is not None:
        chunks.add_itxt(PARAMETERS_KEY, parameters_text(parameters))
        chunks.add_itxt(MODELSHEET_KEY, parameters.model_dump_json())
    image.save(path, pnginfo=chunks)


def read_parameters(path: Path) -> GenerationParameters:
    """Read the generation parameters from a PNG.

    Raises InvalidRequest: it has none. InvalidImages: it cannot be read.
    """
    own = read_png_text(path, MODELSHEET_KEY)
    if own is None:
        raise InvalidRequest(f"{path} carries no recipe: it was not painted by Modelsheet.")
    try:
        return GenerationParameters.model_validate_json(own)
    except ValidationError:
        raise InvalidRequest(
            f"The recipe in {path} is damaged, or of a newer version of Modelsheet."
        ) from None
