"""Canvas of a generate request: its size, its initial image, mask or regions (text-to-image, image-
to-image, inpainting, regional prompts), and the way from a generated image to the result's size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image

from modelsheet.api.generate import GenerateRequest, MaskRef
from modelsheet.diffusion.generation.region_windows import RegionCanvas, plan_regions
from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.sampling.denoise import InitLatents
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.inpainting import (
    InpaintingCrop,
    choose_crop,
    crop_image,
    latent_mask,
    paste_back,
    read_mask,
)
from modelsheet.imaging.rgba import Colour, Size, composite, enlarge_pixels, resize
from modelsheet.jobs.blob_images import read_image
from modelsheet.jobs.protocol import JobContext

_IMG2IMG_STRENGTH = 0.6  # the composition of the initial image stays, its details change
_LARGEST_FACTOR = 1.5  # beyond this a base repeats its subject


@dataclass(frozen=True)
class Canvas:
    """Images are generated at `size` px and brought to `result_size`, None leaves them so."""

    size: Size
    result_size: Size | None
    strength: float
    init_image: Image.Image | None = None
    mask: Image.Image | None = None
    crop: InpaintingCrop | None = None
    regions: RegionCanvas | None = None

    @property
    def is_unchanged(self) -> bool:
        """True when strength 0 asks for the very image that was given."""
        return self.init_image is not None and self.strength == 0.0


def make_canvas(base: BaseModel, request: GenerateRequest, context: JobContext) -> Canvas:
    """Read the request's image and masks, and choose the size to generate at.

    Raises InvalidImages when a mask is empty, or bytes are missing.
    """
    image = read_image(request.init_image, context) if request.init_image else None
    strength = request.strength
    if strength is None:
        strength = _IMG2IMG_STRENGTH if image is not None and request.mask is None else 1.0
    masks = [_read_mask(region.mask, context) for region in request.regions]
    if masks:
        regions = plan_regions(masks, base.resolution, size_multiple(base), base.latent_factor)
        return Canvas(regions.size, masks[0].size, strength, image, regions=regions)
    if image is not None and request.mask is not None:
        mask = _read_mask(request.mask, context)
        crop = choose_crop(
            mask,
            partial(generation_size, base),
            with_context=not request.transparent,
            pixel_art=base.is_pixel_art,
        )
        return Canvas(crop.size, image.size, strength, image, mask, crop)
    requested = (request.width, request.height)
    if image is None:
        size = generation_size(base, *requested)
        return Canvas(size, _with_default(requested, size) if any(requested) else None, strength)
    size = generation_size(base, *image.size)
    return Canvas(size, _with_default(requested, image.size), strength, image)


def generation_size(base: BaseModel, width: int, height: int) -> Size:
    """Return the size in px to generate at: of the requested proportions, near the base's own
    resolution, which 0 stands for. Sides are multiples of `size_multiple`.
    """
    side = base.resolution
    requested = (width or side, height or side)
    factor = side / max(requested)
    multiple = size_multiple(base)
    longest = int(side * _LARGEST_FACTOR)
    sizes = [
        max(multiple, min(longest, round(r * factor / multiple) * multiple)) for r in requested
    ]
    return sizes[0], sizes[1]


def size_multiple(base: BaseModel) -> int:
    """Return the px that an image's sides must be multiples of, so that the UNet can halve them."""
    return base.latent_factor * int(2 ** (len(base.unet.config.block_out_channels) - 1))


def _with_default(size: Size, default: Size) -> Size:
    return size[0] or default[0], size[1] or default[1]


def _read_mask(mask: MaskRef, context: JobContext) -> Image.Image:
    return read_mask(context.read_blob(mask.blob), mask.width, mask.height)


def check_pixel_art(base: BaseModel, request: GenerateRequest, canvas: Canvas) -> None:
    """Check that pixel art is enlarged by a whole number; else pixels would be of unequal size.

    Raises InvalidRequest.
    """
    if request.pixel_art and base.is_pixel_art and not has_whole_pixels(canvas):
        (width, height), (across, down) = canvas.result_size or canvas.size, canvas.size
        raise InvalidRequest(
            f"Pixel art is enlarged by whole numbers only; {width} × {height} is no multiple of "
            f"the {across} × {down} that it is painted at. Take a multiple, or leave the size open."
        )


def has_whole_pixels(canvas: Canvas) -> bool:
    """Tell if images become as large as asked for by whole numbers."""
    if canvas.result_size is None or canvas.crop is not None:  # its square is a multiple by choice
        return True
    (width, height), (across, down) = canvas.result_size, canvas.size
    return not (width % across or height % down) and width // across == height // down


def encode_init_image(
    base: BaseModel, canvas: Canvas, background: Colour, *, with_context: bool
) -> InitLatents | None:
    """Encode the canvas's initial image, over the background colour where it is transparent.

    None without one, and for an inpainting crop whose context must not show.
    """
    if canvas.init_image is None or (canvas.crop is not None and not with_context):
        return None
    if canvas.crop is None:
        image = composite(resize(canvas.init_image, *canvas.size), background)
        return InitLatents(_encode(base, image), canvas.strength)
    assert canvas.mask is not None
    mask = latent_mask(canvas.mask, canvas.crop, base.latent_factor)
    latents = _encode(base, crop_image(canvas.init_image, canvas.crop, background))
    return InitLatents(latents, canvas.strength, torch.from_numpy(mask).to(base.device))


def _encode(base: BaseModel, image: Image.Image) -> torch.Tensor:
    levels = torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1)[None]
    return base.encode_images(levels.float() / 127.5 - 1)


def place_image(canvas: Canvas, image: Image.Image, *, patch: bool, pixel_art: bool) -> Image.Image:
    """Bring a generated image (RGB or RGBA) to its size, or paste it into the initial image."""
    if canvas.crop is None:
        return scale_image(image, *(canvas.result_size or image.size), pixel_art=pixel_art)
    assert canvas.init_image is not None
    assert canvas.mask is not None
    return paste_back(
        canvas.init_image, image, canvas.crop, canvas.mask, patch=patch, pixel_art=pixel_art
    )


def scale_image(image: Image.Image, width: int, height: int, *, pixel_art: bool) -> Image.Image:
    """Resize an image; pixel art by repeating pixels where the factor is a whole number."""
    if (width, height) == image.size:
        return image
    factor = width // image.width
    if pixel_art and factor and (image.width * factor, image.height * factor) == (width, height):
        return enlarge_pixels(image, factor)
    return resize(image, width, height)


def unchanged_image(canvas: Canvas, *, patch: bool) -> Image.Image:
    """Return the initial image as it is; for a patch only the part inside the mask."""
    assert canvas.init_image is not None
    if not patch or canvas.mask is None:
        return canvas.init_image
    rgba = np.array(canvas.init_image)
    opacity = np.asarray(canvas.mask, dtype=np.float32) / 255
    rgba[..., 3] = (rgba[..., 3] * opacity).round()
    return Image.fromarray(rgba)
