"""Pictures of a job: raw BGRA8 blobs on the one side, Pillow pictures on the other."""

from __future__ import annotations

from PIL import Image

from modelsheet.api.generate_result import GeneratedImage, GenerationParameters
from modelsheet.api.types import ImageRef
from modelsheet.imaging.png_metadata import parameters_text
from modelsheet.imaging.rgba import from_bgra, to_bgra
from modelsheet.jobs.protocol import JobContext


def read_picture(image: ImageRef, context: JobContext) -> Image.Image:
    """Raises InvalidImages when the blob is not as large as the picture says."""
    return from_bgra(context.read_blob(image.blob), image.width, image.height)


def write_picture(
    picture: Image.Image,
    seed: int,
    prompt: str,
    context: JobContext,
    *,
    label: str = "",
    recipe: GenerationParameters | None = None,
) -> GeneratedImage:
    blob = context.write_blob(to_bgra(picture))
    return GeneratedImage(
        blob=blob,
        width=picture.width,
        height=picture.height,
        seed=seed,
        prompt=prompt,
        label=label,
        recipe=recipe,
        parameters=parameters_text(recipe, picture.size) if recipe else "",
    )
