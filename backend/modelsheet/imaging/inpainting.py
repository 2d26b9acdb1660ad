"""Inpainting: crop the selection with context around it, and paste the result back through the
mask, so that no byte outside of the mask changes. No torch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging.rgba import Colour, Size, composite, enlarge_pixels, resize

_CONTEXT = 0.25  # of the mask's longer side, on each side of it
_Mask = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class InpaintingCrop:
    """Square crop `box` (left, top, right, bottom; it may reach beyond the image), generated at
    `size` px.
    """

    box: tuple[int, int, int, int]
    size: Size


def read_mask(content: bytes, width: int, height: int) -> Image.Image:
    """Read a mask of one byte per pixel.

    Raises InvalidImages when the number of bytes differs, or the mask is empty.
    """
    if len(content) != width * height:
        raise InvalidImages(
            f"A selection of {width} × {height} pixels has {width * height} bytes, but "
            f"{len(content)} came. Send it again."
        )
    mask = Image.frombytes("L", (width, height), content)
    if mask.getbbox() is None:
        raise InvalidImages("The selection is empty: select where to paint first.")
    return mask


def choose_crop(
    mask: Image.Image,
    generation_size: Callable[[int, int], Size],
    *,
    with_context: bool,
    pixel_art: bool,
) -> InpaintingCrop:
    """Choose the square to generate, inside the image where it fits.

    It has context around the mask, unless a figure is to stand there without background. A
    pixel-art base fills its images: its square is a multiple of their size that covers the mask,
    or, without context, lies within it.
    """
    left, top, right, bottom = mask_bounds(mask)
    side = max(right - left, bottom - top)
    size = generation_size(side, side)
    if pixel_art:
        factor = -(-side // size[0]) if with_context else side // size[0]
        side = max(1, factor) * size[0]
    elif with_context:
        side += 2 * max(4, round(side * _CONTEXT))
    start = (
        _start(left, right, side, mask.width),
        _start(top, bottom, side, mask.height),
    )
    return InpaintingCrop((*start, start[0] + side, start[1] + side), size)


def mask_bounds(mask: Image.Image) -> tuple[int, int, int, int]:
    """Return the bounding box of a mask: left, top, right, bottom in px."""
    bounds = mask.getbbox()
    assert bounds is not None, "read_mask refuses empty masks"
    return bounds


def _start(first: int, last: int, side: int, room: int) -> int:
    """Centre `side` px on first..last, moved into the room where they fit it."""
    centred = (first + last - side) // 2
    return max(0, min(centred, room - side)) if side <= room else centred


def crop_image(image: Image.Image, crop: InpaintingCrop, background: Colour) -> Image.Image:
    """Crop an image over a background colour: RGB at the crop's size; the border pixels are
    repeated beyond the image.
    """
    opaque = composite(image, background)
    columns = _clamped(crop.box[0], crop.box[2], image.width)
    rows = _clamped(crop.box[1], crop.box[3], image.height)
    square = Image.fromarray(np.asarray(opaque)[np.ix_(rows, columns)])
    return resize(square, *crop.size).convert("RGB")


def _clamped(first: int, last: int, room: int) -> npt.NDArray[np.intp]:
    return np.arange(first, last).clip(0, room - 1)


def latent_mask(
    mask: Image.Image, crop: InpaintingCrop, latent_factor: int
) -> npt.NDArray[np.float32]:
    """Shrink the mask to the crop's latents (h, w): 1 where any selected pixel lies in their
    `latent_factor` px, and the latent may change.
    """
    width, height = (side // latent_factor for side in crop.size)
    selected = np.asarray(mask.crop(crop.box)) > 0
    rows = np.arange(selected.shape[0]) * height // selected.shape[0]
    columns = np.arange(selected.shape[1]) * width // selected.shape[1]
    latents = np.zeros((height, width), dtype=np.float32)
    y, x = np.nonzero(selected)
    latents[rows[y], columns[x]] = 1.0
    return latents


def paste_back(
    image: Image.Image,
    generated: Image.Image,
    crop: InpaintingCrop,
    mask: Image.Image,
    *,
    patch: bool,
    pixel_art: bool,
) -> Image.Image:
    """Paste the generated square over the image through the mask; with `patch` return it alone.

    RGBA of the image's size; where the mask is 0 each byte is the image's, or transparent.
    """
    side = crop.box[2] - crop.box[0]
    factor = side // generated.width
    is_whole = pixel_art and factor * generated.width == side
    square = enlarge_pixels(generated, factor) if is_whole else resize(generated, side, side)
    layer = Image.new("RGBA", image.size)
    layer.paste(square.convert("RGBA"), crop.box[:2])
    above = np.asarray(layer)
    opacity = np.asarray(mask, dtype=np.float32) / np.float32(255)
    if patch:
        alpha = (above[..., 3] * opacity).round().astype(np.uint8)
        return Image.fromarray(np.dstack([above[..., :3] * (alpha > 0)[..., None], alpha]))
    return Image.fromarray(_alpha_over(np.asarray(image.convert("RGBA")), above, opacity))


def _alpha_over(
    below: npt.NDArray[np.uint8], above: npt.NDArray[np.uint8], opacity: npt.NDArray[np.float32]
) -> npt.NDArray[np.uint8]:
    """Composite `above`, at that opacity, over `below`, in straight alpha."""
    covers = opacity * above[..., 3] / 255
    kept = (below[..., 3] / 255) * (1 - covers)
    alpha = covers + kept
    weight = np.where(alpha > 0, covers / np.maximum(alpha, 1e-6), 0.0)[..., None]
    colour = below[..., :3] * (1 - weight) + above[..., :3] * weight
    mixed = np.dstack([colour, alpha * 255]).round().clip(0, 255).astype(np.uint8)
    return np.where((covers > 0)[..., None], mixed, below)
