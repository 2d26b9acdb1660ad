"""Pixel art: snap to the pixel grid, limit the colours, threshold the alpha, reduce the size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.api.generate import PixelArt
from modelsheet.errors import InvalidRequest
from modelsheet.imaging.palette_matching import match_palette
from modelsheet.imaging.palettes import (
    MAX_COLOURS,
    apply_palette,
    extract_palette,
    parse_hex_colour,
    srgb_to_oklab,
)
from modelsheet.imaging.rgba import Colour

_LARGEST_PIXEL = 32  # px
_SHARE = 0.7  # of all differences between neighbours that must lie on the grid's lines
_HALF, _OPAQUE = 128, 255  # levels of alpha
_UNLIKE = 0.1  # distance in OKLab, in which black and white are 1 apart
_LARGEST_SIDE = 256  # of pixel art, in painted pixels
_HARD_SHARE = 0.95  # of the visible pixels that must be opaque
_FEW_COLOURS, _MOST_COLOURS = 16, 128  # of one image
_PIXELS_A_COLOUR = 3  # a painting scaled down has hardly two pixels alike
# Exponent of a colour's rarity: at 0 an outline swallows the eyes, at 0.5 it goes missing.
_RARITY = 0.2


def make_pixel_art(
    image: Image.Image, options: PixelArt, references: Sequence[Image.Image], pixel_size: int = 0
) -> Image.Image:
    """Snap to the grid, limit the colours and threshold the alpha; returns RGBA.

    `pixel_size` is the base model's, in px, 0 for unknown; that of the `options` takes precedence.
    A base that paints single pixels has the references' scale: there the palette is matched as they
    have its colours.
    Raises InvalidRequest: a pixel would be larger than the image.
    """
    size = options.pixel_size or pixel_size or detect_pixel_size(image)
    if size > min(image.size):
        raise InvalidRequest(
            f"A painted pixel cannot be {size} px large in a picture of {image.width} × "
            f"{image.height}. Ask for a smaller pixel size."
        )
    snapped = threshold_alpha(snap_to_grid(image, size))
    palette = _palette(snapped, options, references)
    if size == pixel_size == 1 and references and _are_of(palette, references):
        return match_palette(snapped, palette, references)
    return apply_palette(snapped, palette)


def _palette(
    image: Image.Image, options: PixelArt, references: Sequence[Image.Image]
) -> Sequence[Colour]:
    if isinstance(options.palette, list):
        return [parse_hex_colour(colour) for colour in options.palette]
    if options.palette == "picture":
        return extract_palette([image], options.colours)
    of_subject = extract_palette(references, options.colours)
    if options.palette == "subject":
        return of_subject
    own = extract_palette([image], options.colours)
    return [*of_subject, *(each for each in own if _is_unlike(each, of_subject))]


def _are_of(palette: Sequence[Colour], images: Sequence[Image.Image]) -> bool:
    """Return True if the images' opaque pixels have no other colours."""
    colours = pixel_art_palette(images)
    return bool(colours) and set(colours) <= set(palette)


def _is_unlike(colour: Colour, others: Sequence[Colour]) -> bool:
    points = srgb_to_oklab(np.array([colour, *others], dtype=np.uint8))
    return bool((np.linalg.norm(points[1:] - points[0], axis=1) > _UNLIKE).all())


def pixel_art_palette(images: Sequence[Image.Image]) -> list[Colour]:
    """Return the colours of images that all are pixel art: on a grid of at most 256 painted pixels
    a side, with few colours and hard edges. Empty where one is not, or where there are more than
    256 colours.
    """
    colours: set[Colour] = set()
    for image in images:
        rgba = np.asarray(image.convert("RGBA"))
        alpha = rgba[..., 3]
        visible, opaque = int((alpha > 0).sum()), rgba[alpha == _OPAQUE][:, :3]
        found = set(map(tuple, np.unique(opaque, axis=0).tolist()))
        painted = len(opaque) / _pixel_side(image) ** 2
        is_pixel_art = (
            len(opaque) >= _HARD_SHARE * visible > 0
            and len(found) <= min(_MOST_COLOURS, max(_FEW_COLOURS, painted / _PIXELS_A_COLOUR))
            and max(image.size) / _pixel_side(image) <= _LARGEST_SIDE
        )
        if not is_pixel_art:
            return []
        colours |= found
    return sorted(colours) if len(colours) <= MAX_COLOURS else []


def _pixel_side(image: Image.Image) -> int:
    return detect_pixel_size(image) if max(image.size) > _LARGEST_SIDE else 1


def threshold_alpha(image: Image.Image) -> Image.Image:
    """Make each pixel opaque or transparent black."""
    rgba = np.array(image.convert("RGBA"))
    opaque = rgba[..., 3] >= _HALF
    rgba[..., 3] = np.where(opaque, 255, 0)
    rgba[~opaque] = 0
    return Image.fromarray(rgba)


def detect_pixel_size(image: Image.Image) -> int:
    """Return the side in px of one painted pixel: the largest grid that has most edges on it."""
    edges = _edges(image)
    fitting = [
        size
        for size in range(2, min(_LARGEST_PIXEL, *image.size) + 1)
        if all(_share_on_grid(each, size) >= _SHARE for each in edges)
    ]
    return max(fitting, default=1)


def _edges(image: Image.Image) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the squared differences at each boundary between columns, and between rows."""
    rgba = np.asarray(image.convert("RGBA"), dtype=np.float64)
    columns = np.square(np.diff(rgba, axis=1)).sum(axis=(0, 2))
    rows = np.square(np.diff(rgba, axis=0)).sum(axis=(1, 2))
    return columns, rows


def _share_on_grid(edges: npt.NDArray[np.float64], size: int) -> float:
    total = float(edges.sum())
    return float(edges[size - 1 :: size].sum()) / total if total else 0.0


def snap_to_grid(image: Image.Image, size: int) -> Image.Image:
    """Reduce each square of `size` px to its median, which is robust to blurred edges."""
    if size == 1:
        return image.convert("RGBA")
    width, height = image.width // size, image.height // size
    rgba = np.asarray(image.convert("RGBA"))[: height * size, : width * size]
    squares = rgba.reshape(height, size, width, size, 4).transpose(0, 2, 1, 3, 4)
    medians = np.median(squares.reshape(height, width, size * size, 4), axis=2)
    return Image.fromarray(medians.round().astype(np.uint8))


def reduce_pixel_art(image: Image.Image, width: int, height: int) -> Image.Image:
    """Reduce pixel art without mixing colours; each new pixel is opaque or transparent.

    A pixel takes the colour that covers most of its area. Rare colours count for more: eyes and
    highlights have few pixels. For images with few colours, as it takes time for each.
    """
    rgba = np.asarray(image.convert("RGBA"))
    visible = rgba[..., 3] >= _HALF
    colours, numbers, counts = np.unique(
        rgba[visible][:, :3], axis=0, return_inverse=True, return_counts=True
    )
    number = np.full(visible.shape, -1)
    number[visible] = numbers.ravel()
    most = np.zeros((height, width))
    reduced = np.zeros((height, width, 4), dtype=np.uint8)
    for index, (colour, count) in enumerate(zip(colours, counts, strict=True)):
        weighted = _coverage(number == index, width, height) * float(count) ** -_RARITY
        wins = weighted > most
        most[wins] = weighted[wins]
        reduced[wins] = (*colour, 255)
    reduced[_coverage(visible, width, height) < 0.5] = 0
    return Image.fromarray(reduced)


def _coverage(mask: npt.NDArray[np.bool_], width: int, height: int) -> npt.NDArray[np.float32]:
    """Return the share of each new pixel's area that the mask covers."""
    levels = Image.fromarray(mask.astype(np.float32))
    return np.asarray(levels.resize((width, height), Image.Resampling.BOX), dtype=np.float32)
