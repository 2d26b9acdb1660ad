"""Convert a job's images between BGRA8 blobs and Pillow images."""

from __future__ import annotations

from PIL import Image

from modelsheet.api.generate_result import GeneratedImage, GenerationParameters
from modelsheet.api.types import ImageRef
from modelsheet.imaging.png_metadata import parameters_text
from modelsheet.imaging.rgba import from_bgra, to_bgra
from modelsheet.jobs.protocol import JobContext


def read_image(image: ImageRef, context: JobContext) -> Image.Image:
    """Read a blob as an RGBA image.

    Raises InvalidImages when the blob's size does not fit the image's.
    """
    return from_bgra(context.read_blob(image.blob), image.width, image.height)


def write_image(
    image: Image.Image,
    seed: int,
    prompt: str,
    context: JobContext,
    *,
    label: str = "",
    parameters: GenerationParameters | None = None,
) -> GeneratedImage:
    """Store an image as a blob and return its description, with its generation parameters."""
    return GeneratedImage(
        blob=context.write_blob(to_bgra(image)),
        width=image.width,
        height=image.height,
        seed=seed,
        prompt=prompt,
        label=label,
        recipe=parameters,
        parameters=parameters_text(parameters) if parameters else "",
    )
