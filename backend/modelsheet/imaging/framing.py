"""Crop reference pictures to what they show, and fit them into the frames of a base model."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image

from modelsheet.imaging.pixel_art import reduce_pixel_art, threshold_alpha
from modelsheet.imaging.rgba import bleed_colours, crop_to_content, enlarge_pixels, resize

_MARGIN = 0.06  # of the longer side, around what is cropped to its content
_PIXEL_ART_SIDE, _PIXEL_ART_COLOURS = 256, 256
_LARGEST_ENLARGED_SIDE = 2048  # px; of pixel art that was saved enlarged


def has_transparency(picture: Image.Image) -> bool:
    return int(np.asarray(picture.getchannel("A")).min()) < 255


def looks_like_pixel_art(picture: Image.Image) -> bool:
    """Tell if a picture is small and has at most 256 colours, those under alpha 0 not counted."""
    return max(picture.size) <= _PIXEL_ART_SIDE and _has_few_colours(picture)


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


def fit(picture: Image.Image, width: int, height: int, *, as_sprite: bool) -> Image.Image:
    """Scale a picture into a frame.

    Pixel art grows by whole numbers and shrinks to its own colours, the rest is resampled with
    Lanczos. An opaque picture fills the frame and loses its rim; a cut-out is fitted whole. A
    sprite stands on the ground and each of its pixels is opaque or transparent; all are centred
    across.
    """
    scaled = _scale(picture, width, height, as_sprite=as_sprite)
    spare = height - scaled.height
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(scaled, ((width - scaled.width) // 2, spare if as_sprite else spare // 2))
    return canvas


def _scale(picture: Image.Image, width: int, height: int, *, as_sprite: bool) -> Image.Image:
    is_pixel_art = looks_like_pixel_art(picture)
    if is_pixel_art and picture.width <= width and picture.height <= height:
        return enlarge_pixels(picture, min(width // picture.width, height // picture.height))
    shares = width / picture.width, height / picture.height
    share = min(shares) if has_transparency(picture) else max(shares)
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    if size == picture.size:
        return picture
    if is_pixel_art:
        return reduce_pixel_art(picture, *size)
    scaled = resize(picture, *size)
    return threshold_alpha(bleed_colours(scaled)) if as_sprite else scaled


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
