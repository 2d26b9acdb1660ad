"""Prepare reference pictures and encode them as training instances: latents, masks and prompts of
several augmented images of each picture.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel
from modelsheet.diffusion.training.aspect_buckets import bucket_for
from modelsheet.diffusion.training.augmentation import (
    AugmentedImage,
    augmented_images,
    has_transparency,
)
from modelsheet.errors import InvalidImages
from modelsheet.imaging.rgba import composite, crop_to_content, enlarge_pixels, is_empty, resize
from modelsheet.prompts.captions import FLAT_BACKGROUNDS, PromptTemplate

MASK_FLOOR = 0.15  # the background still counts a little, so that it stays as captioned
_MARGIN = 0.06  # of the longer side, around what is cropped to its content
_PIXEL_ART_SIDE, _PIXEL_ART_COLOURS = 256, 256
_NEAR_DUPLICATE = 4.0  # levels of mean difference
_MOST_INSTANCES = 96  # of all pictures together: an SDXL takes a tenth of a second to encode one


@dataclass(frozen=True)
class Instance:
    """One augmented image of the subject, encoded; DreamBooth's "instance image".

    `picture`: number of the reference picture; `latents`: (C, h, w); `mask`: (1, h, w), the weight
    of the loss; `prompt` names the background where it is known.
    """

    picture: int
    latents: torch.Tensor
    mask: torch.Tensor
    prompt: str


def prepare_pictures(pictures: Sequence[Image.Image], base: BaseModel) -> list[Image.Image]:
    """Crop and scale RGBA pictures to the base's aspect buckets, each near its own proportions.

    Pictures of one size are taken for one frame and cropped alike, so that equal positions stay
    equal; others are cropped one by one. Raises InvalidImages for an empty one.
    """
    for number, picture in enumerate(pictures, 1):
        if is_empty(picture):
            raise InvalidImages(
                f"Picture {number} of {len(pictures)} is empty: all of its pixels are transparent. "
                "Paint on that layer or leave it out."
            )
    framed = _crop_alike(pictures) if len({p.size for p in pictures}) == 1 else _crop_each(pictures)
    return [
        fit(picture, *bucket_for(picture.size, base), at_bottom=base.is_pixel_art)
        for picture in framed
    ]


def fit(picture: Image.Image, width: int, height: int, *, at_bottom: bool) -> Image.Image:
    """Scale a picture into a frame: pixel art by whole numbers, the rest by Lanczos.

    An opaque picture fills the frame and loses its rim; a cut-out is fitted whole. Sprites are
    aligned `at_bottom`, for they stand on the ground; all are centred across.
    """
    if looks_like_pixel_art(picture) and picture.width <= width and picture.height <= height:
        factor = min(width // picture.width, height // picture.height)
        scaled = enlarge_pixels(picture, factor)
    else:
        shares = width / picture.width, height / picture.height
        share = min(shares) if has_transparency(picture) else max(shares)
        size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
        scaled = picture if size == picture.size else resize(picture, *size)
    spare = height - scaled.height
    canvas = Image.new("RGBA", (width, height))
    canvas.paste(scaled, ((width - scaled.width) // 2, spare if at_bottom else spare // 2))
    return canvas


def looks_like_pixel_art(picture: Image.Image) -> bool:
    """Tell if a picture is small and has at most 256 colours, those under alpha 0 not counted."""
    if max(picture.size) > _PIXEL_ART_SIDE:
        return False
    whole = picture.convert("RGBA")
    is_visible = whole.getchannel("A").point(lambda alpha: 255 if alpha else 0)
    visible = Image.composite(whole, Image.new("RGBA", whole.size), is_visible)
    return visible.getcolors(_PIXEL_ART_COLOURS) is not None


def encode_instances(
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    naming: PromptTemplate,
    base: BaseModel,
    *,
    flip: bool = False,
    seed: int = 0,
) -> list[Instance]:
    """Augment and encode each prepared picture several times: cut-outs on flat backgrounds,
    photographs whole and in crops, with `flip` mirrored too.
    """
    most = max(2, min(len(FLAT_BACKGROUNDS), _MOST_INSTANCES // len(pictures)))
    geometric = not base.is_pixel_art
    instances = []
    for number, (picture, caption) in enumerate(zip(pictures, captions, strict=True)):
        rng = random.Random(f"{seed} {number}")
        for augmented in augmented_images(picture, number, most, rng, geometric=geometric):
            for each in augmented.with_mirrored(flip):
                instances.append(_encode(number, each, caption, naming, base))
    return instances


def warnings_for(pictures: Sequence[Image.Image]) -> list[str]:
    """Warn of near-duplicates and opaque pictures, in a sentence each for the user."""
    found = []
    repeated = [
        str(number + 1)
        for number, picture in enumerate(pictures)
        if any(_difference(picture, one) < _NEAR_DUPLICATE for one in pictures[:number])
    ]
    if repeated:
        numbers = ", ".join(repeated)
        found.append(f"Nearly the same as an earlier picture, so that it adds little: {numbers}.")
    opaque = [str(n) for n, picture in enumerate(pictures, 1) if not has_transparency(picture)]
    if opaque:
        found.append(
            f"Without transparency the background is learnt too: picture {', '.join(opaque)}."
        )
    return found


def image_tensor(picture: Image.Image) -> torch.Tensor:
    """Convert an RGB picture to (3, H, W) in [-1, 1]."""
    pixels = np.asarray(picture.convert("RGB"), np.float32)
    return torch.from_numpy(pixels).permute(2, 0, 1) / 127.5 - 1


def loss_mask(alpha: Image.Image, factor: int) -> torch.Tensor:
    """Scale a picture's alpha to latent size (1, h, w), grown by one latent so that thin parts
    count, with a floor of 0.15.
    """
    levels = torch.from_numpy(np.array(alpha, np.float32))[None, None] / 255
    small = torch.nn.functional.avg_pool2d(levels, factor)
    grown = torch.nn.functional.max_pool2d(small, 3, stride=1, padding=1)
    return grown[0].clamp(min=MASK_FLOOR)


def _encode(
    number: int, augmented: AugmentedImage, caption: str, naming: PromptTemplate, base: BaseModel
) -> Instance:
    """Encode one image: a batch of large ones would need gigabytes in the autoencoder."""
    latents = base.encode_images(image_tensor(augmented.image)[None])[0]
    mask = loss_mask(augmented.alpha, base.latent_factor).to(base.device)
    return Instance(number, latents, mask, naming.instance_prompt(caption, augmented.background))


def _crop_alike(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    """Crop pictures of one frame to the union of their contents; a frame of a sprite's size stays
    whole.
    """
    width, height = pictures[0].size
    if max(width, height) <= _PIXEL_ART_SIDE // 2:
        return list(pictures)
    boxes = [box for picture in pictures if (box := picture.getchannel("A").getbbox())]
    margin = round(_MARGIN * max(width, height))
    left, top = (max(0, min(box[side] for box in boxes) - margin) for side in (0, 1))
    right = min(width, max(box[2] for box in boxes) + margin)
    bottom = min(height, max(box[3] for box in boxes) + margin)
    return [picture.crop((left, top, right, bottom)) for picture in pictures]


def _crop_each(pictures: Sequence[Image.Image]) -> list[Image.Image]:
    return [
        crop_to_content(picture, 0 if looks_like_pixel_art(picture) else _margin_of(picture))
        for picture in pictures
    ]


def _margin_of(picture: Image.Image) -> int:
    return round(_MARGIN * max(picture.size)) if has_transparency(picture) else 0


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two prepared pictures on grey, in levels."""
    small = [composite(picture, (128, 128, 128)).resize((32, 32)) for picture in (one, other)]
    levels = [np.asarray(picture, np.float32) for picture in small]
    return float(np.abs(levels[0] - levels[1]).mean())
