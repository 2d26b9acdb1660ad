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
from modelsheet.imaging.rgba import Size

_CONTEXT = 0.25  # of the mask's longer side, on each side of it
_Mask = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]  # left, top, right, bottom in px


@dataclass(frozen=True)
class InpaintingCrop:
    """Crop `box` of an image (it may reach beyond the image), generated at `size` px."""

    box: Box
    size: Size

    @property
    def box_size(self) -> Size:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]


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
    area: Box, image_size: Size, generation_size: Callable[[int, int], Size]
) -> InpaintingCrop:
    """Choose the square to generate: the area with context around it, inside the image where it
    fits.
    """
    side = max(area[2] - area[0], area[3] - area[1])
    side += 2 * max(4, round(side * _CONTEXT))
    return _crop_at(area, image_size, (side, side), generation_size(side, side))


def choose_pixel_art_crop(
    area: Box, image_size: Size, *, resolution: int, longest: int, multiple: int, pixel_size: int
) -> InpaintingCrop:
    """Choose the box to generate around an area of a picture with pixels of `pixel_size` px.

    Each generated pixel covers a square of whole px: of the picture's own pixel size, if the area
    then fits into `longest` px; else the smallest that brings it to the base's `resolution`.
    Sizes are multiples of `multiple`, and never below the resolution.
    """
    sides = area[2] - area[0], area[3] - area[1]
    factor = max(1, pixel_size)
    if max(sides) > longest * factor or not pixel_size:
        factor *= -(-max(sides) // (resolution * factor))
    width, height = (max(resolution, -(-side // (factor * multiple)) * multiple) for side in sides)
    box_size = width * factor, height * factor
    return _crop_at(area, image_size, box_size, (width, height), grid=factor)


def _crop_at(
    area: Box, image_size: Size, box_size: Size, size: Size, *, grid: int = 1
) -> InpaintingCrop:
    """Centre the box on the area, its corner on a grid of so many px."""
    left = _start(area[0], area[2], box_size[0], image_size[0]) // grid * grid
    top = _start(area[1], area[3], box_size[1], image_size[1]) // grid * grid
    return InpaintingCrop((left, top, left + box_size[0], top + box_size[1]), size)


def mask_bounds(mask: Image.Image) -> Box:
    """Return the bounding box of a mask."""
    bounds = mask.getbbox()
    assert bounds is not None, "read_mask refuses empty masks"
    return bounds


def _start(first: int, last: int, side: int, room: int) -> int:
    """Centre `side` px on first..last, moved into the room where they fit it."""
    centred = (first + last - side) // 2
    return max(0, min(centred, room - side)) if side <= room else centred


def crop_box(image: Image.Image, box: Box, *, repeat_border: bool) -> Image.Image:
    """Crop a box that may reach beyond the image: there its border pixels are repeated, or all is
    transparent.
    """
    if not repeat_border:
        return image.convert("RGBA").crop(box)
    columns = _clamped(box[0], box[2], image.width)
    rows = _clamped(box[1], box[3], image.height)
    return Image.fromarray(np.asarray(image)[np.ix_(rows, columns)])


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
    image: Image.Image, above: Image.Image, mask: Image.Image, *, patch: bool
) -> Image.Image:
    """Paste an RGBA image of the same size over the image through the mask; with `patch` return it
    alone.

    Where the mask is 0 each byte is the image's, or transparent.
    """
    rgba = np.asarray(above)
    opacity = np.asarray(mask, dtype=np.float32) / np.float32(255)
    if patch:
        alpha = (rgba[..., 3] * opacity).round().astype(np.uint8)
        return Image.fromarray(np.dstack([rgba[..., :3] * (alpha > 0)[..., None], alpha]))
    return Image.fromarray(_alpha_over(np.asarray(image.convert("RGBA")), rgba, opacity))


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
