"""Crop reference pictures to what they show, and fit them into the frames of a base model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from modelsheet.errors import InvalidImages
from modelsheet.imaging.pixel_art import reduce_pixel_art, threshold_alpha
from modelsheet.imaging.rgba import (
    Size,
    bleed_colours,
    crop_to_content,
    enlarge_pixels,
    is_empty,
    limit_sides,
    on_white,
    resize,
)

MOST_CONDITIONING = 4  # pictures of a subject that a base model is given
_MARGIN = 0.06  # of the longer side, around what is cropped to its content
_PIXEL_ART_SIDE, _PIXEL_ART_COLOURS = 256, 256
_MUCH_LARGER = 2  # than a model that paints no sprites
_LARGEST_ENLARGED_SIDE = 2048  # px; of pixel art that was saved enlarged


def has_transparency(picture: Image.Image) -> bool:
    return int(np.asarray(picture.getchannel("A")).min()) < 255


def looks_like_pixel_art(picture: Image.Image) -> bool:
    """Tell if a picture is small and has at most 256 colours, those under alpha 0 not counted."""
    return max(picture.size) <= _PIXEL_ART_SIDE and _has_few_colours(picture)


def require_content(pictures: Sequence[Image.Image]) -> None:
    """Raise InvalidImages if one of the RGBA pictures is empty."""
    for number, picture in enumerate(pictures, 1):
        if is_empty(picture):
            raise InvalidImages(
                f"Picture {number} of {len(pictures)} is empty: all of its pixels are transparent. "
                "Paint on that layer or leave it out."
            )


def crop_pictures(pictures: Sequence[Image.Image], sprite_side: int = 0) -> list[Image.Image]:
    """Crop pictures of one size alike, so that equal positions stay equal; others one by one.

    `sprite_side` is a sprite model's resolution in px, 0 for another model. For such a model no
    margin is left, enlarged pixel art is brought back to one pixel a pixel, and a frame that fits
    into the resolution stays whole.
    """
    are_alike = len({picture.size for picture in pictures}) == 1
    if are_alike:
        cropped = _crop_alike(pictures, sprite_side)
    else:
        cropped = [_crop_to_content(picture, sprite_side) for picture in pictures]
    if not sprite_side:
        return cropped
    sizes = [_drawn_pixel_size(picture) for picture in cropped]
    if are_alike:
        sizes = [math.gcd(*sizes)] * len(sizes)
    return [_without_enlargement(*each) for each in zip(cropped, sizes, strict=True)]


def conditioning_pictures(pictures: Sequence[Image.Image], side: int) -> list[Image.Image]:
    """Return the first RGBA pictures as RGB on white, scaled so that all together are at most a
    square of `side` px: each of their pixels makes every step of painting slower.
    """
    first = pictures[:MOST_CONDITIONING]
    longest = round(side / max(1, len(first)) ** 0.5)
    return [on_white(limit_sides(picture, longest)) for picture in first]


def losing_detail(
    cropped: Sequence[Image.Image], side: int, *, as_sprite: bool
) -> Image.Image | None:
    """Return the largest cropped picture if a model of `side` px loses detail of it, else None.

    A sprite shows every pixel that is lost, another model only from twice its resolution.
    """
    largest = max(cropped, key=lambda picture: max(picture.size))
    return largest if max(largest.size) > side * (1 if as_sprite else _MUCH_LARGER) else None


def fit(picture: Image.Image, width: int, height: int, *, as_sprite: bool) -> Image.Image:
    """Scale a picture into a frame.

    Pixel art grows by whole numbers and shrinks to its own colours, the rest is resampled with
    Lanczos. An opaque picture fills the frame and loses its rim; a cut-out is fitted whole. A
    sprite stands on the ground and each of its pixels is opaque or transparent; all are centred
    across.
    """
    size = _fitted_size(picture, width, height)
    if size[0] >= picture.width and size[1] >= picture.height:
        scaled = _resampled(picture, size)
    elif looks_like_pixel_art(picture):
        scaled = reduce_pixel_art(picture, *size)
    elif as_sprite:
        scaled = threshold_alpha(bleed_colours(resize(picture, *size)))
    else:
        scaled = resize(picture, *size)
    return _placed(scaled, width, height, at_bottom=as_sprite)


def fit_drawn_sprite(picture: Image.Image, side: int, scale: int) -> Image.Image:
    """Fit a picture as `fit` does for a sprite, in a frame that is `scale` times as large.

    What it shows stands where the sprite has it, with the detail that the sprite has lost.
    """
    width, height = _fitted_size(picture, side, side)
    scaled = _resampled(picture, (width * scale, height * scale))
    return _placed(scaled, side * scale, side * scale, at_bottom=True)


def _fitted_size(picture: Image.Image, width: int, height: int) -> Size:
    shares = width / picture.width, height / picture.height
    share = min(shares) if has_transparency(picture) else max(shares)
    if min(shares) >= 1 and looks_like_pixel_art(picture):
        share = math.floor(min(shares))
    return max(1, round(picture.width * share)), max(1, round(picture.height * share))


def _resampled(picture: Image.Image, size: Size) -> Image.Image:
    """Resample with Lanczos, or repeat pixels where pixel art grows by a whole number."""
    factor = size[0] // picture.width
    is_whole = size == (picture.width * factor, picture.height * factor)
    if is_whole and (factor == 1 or looks_like_pixel_art(picture)):
        return enlarge_pixels(picture, factor)
    return resize(picture, *size)


def _placed(picture: Image.Image, width: int, height: int, *, at_bottom: bool) -> Image.Image:
    spare = height - picture.height
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(picture, ((width - picture.width) // 2, spare if at_bottom else spare // 2))
    return canvas


def _has_few_colours(picture: Image.Image) -> bool:
    whole = picture.convert("RGBA")
    is_visible = whole.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    visible = Image.composite(whole, Image.new("RGBA", whole.size), is_visible)
    return visible.getcolors(_PIXEL_ART_COLOURS) is not None


def _crop_alike(pictures: Sequence[Image.Image], sprite_side: int) -> list[Image.Image]:
    """Crop pictures of one frame to the union of their contents; a frame of a sprite's size stays
    whole.
    """
    width, height = pictures[0].size
    if max(width, height) <= (sprite_side or _PIXEL_ART_SIDE // 2):
        return list(pictures)
    boxes = [box for picture in pictures if (box := picture.getchannel("A").getbbox())]
    margin = 0 if sprite_side else round(_MARGIN * max(width, height))
    left, top = (max(0, min(box[side] for box in boxes) - margin) for side in (0, 1))
    right = min(width, max(box[2] for box in boxes) + margin)
    bottom = min(height, max(box[3] for box in boxes) + margin)
    return [picture.crop((left, top, right, bottom)) for picture in pictures]


def _crop_to_content(picture: Image.Image, sprite_side: int) -> Image.Image:
    if sprite_side or looks_like_pixel_art(picture) or not has_transparency(picture):
        return crop_to_content(picture, 0)
    return crop_to_content(picture, round(_MARGIN * max(picture.size)))


def _drawn_pixel_size(picture: Image.Image) -> int:
    """Return the px that each drawn pixel is wide and high, 1 where they are not all squares."""
    if max(picture.size) > _LARGEST_ENLARGED_SIDE or not _has_few_colours(picture):
        return 1
    rgba = np.array(picture)
    rgba[rgba[..., 3] == 0] = 0
    columns = np.flatnonzero((rgba[:, 1:] != rgba[:, :-1]).any(axis=(0, 2))) + 1
    rows = np.flatnonzero((rgba[1:] != rgba[:-1]).any(axis=(1, 2))) + 1
    return math.gcd(*picture.size, *columns.tolist(), *rows.tolist())


def _without_enlargement(picture: Image.Image, size: int) -> Image.Image:
    return picture.resize((picture.width // size, picture.height // size), Image.Resampling.NEAREST)
