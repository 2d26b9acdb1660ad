"""What made a picture, in its PNG: as the `parameters` text that other tools read, and as our own
JSON, from which the picture can be painted again. No torch.
"""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image, PngImagePlugin
from pydantic import ValidationError

from modelsheet.api.generate_result import GenerationParameters
from modelsheet.errors import InvalidRequest

PARAMETERS_KEY = "parameters"  # the key of Automatic1111's web UI, which most tools understand
MODELSHEET_KEY = "modelsheet"


def parameters_text(recipe: GenerationParameters, size: tuple[int, int]) -> str:
    """The prompt, the negative prompt, and one line of settings, in Automatic1111's words."""
    request = recipe.request
    lines = [request.prompt]
    if request.negative_prompt:
        lines.append(f"Negative prompt: {request.negative_prompt}")
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in _settings(recipe, size)))
    return "\n".join(lines)


def _settings(recipe: GenerationParameters, size: tuple[int, int]) -> list[tuple[str, str]]:
    request = recipe.request
    settings = [
        ("Steps", f"{recipe.inference_steps}"),
        ("Sampler", recipe.sampler),
        ("CFG scale", f"{recipe.guidance_scale:g}"),
        ("Seed", f"{request.seed}"),
        ("Size", f"{size[0]}x{size[1]}"),
        ("Model", recipe.base_model),
    ]
    if request.init_image is not None and request.strength is not None:
        settings.append(("Denoising strength", f"{request.strength:g}"))
    if request.variation_strength:
        settings.append(("Variation seed", f"{request.variation_seed}"))
        settings.append(("Variation seed strength", f"{request.variation_strength:g}"))
    if recipe.subjects:
        hashes = [f"{use.name}: {use.adapter_sha256[:12]}" for use in recipe.subjects]
        settings.append(("Lora hashes", ", ".join(hashes)))
        settings.append(("Lora scales", f"{request.unet_scale:g} {request.text_encoder_scale:g}"))
    settings += [("Read as", recipe.text), ("Version", f"modelsheet {recipe.version}")]
    return settings


def _quoted(value: str) -> str:
    """A value with a separator in it stands in JSON's quotes, as that format has it."""
    return json.dumps(value, ensure_ascii=False) if any(c in value for c in ',:\n"') else value


def save_png(image: Image.Image, path: Path, recipe: GenerationParameters | None) -> None:
    """Write a PNG that carries its recipe in both forms."""
    chunks = PngImagePlugin.PngInfo()
    if recipe is not None:
        chunks.add_itxt(PARAMETERS_KEY, parameters_text(recipe, image.size))
        chunks.add_itxt(MODELSHEET_KEY, recipe.model_dump_json())
    image.save(path, pnginfo=chunks)


def read_parameters(path: Path) -> GenerationParameters:
    """Read our own JSON out of a PNG. Raises InvalidRequest: there is none."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            image.load()
            own = image.info.get(MODELSHEET_KEY)
    except FileNotFoundError:
        raise InvalidRequest(f"There is no file {path}. Check the name.") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidRequest(f"{path} is no PNG that can be read ({error}).") from None
    if not isinstance(own, str):
        raise InvalidRequest(f"{path} carries no recipe: it was not painted by Modelsheet.")
    try:
        return GenerationParameters.model_validate_json(own)
    except ValidationError:
        raise InvalidRequest(
            f"The recipe in {path} is damaged, or of a newer version of Modelsheet."
        ) from None
