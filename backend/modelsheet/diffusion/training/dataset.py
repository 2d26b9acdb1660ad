"""Prepare reference pictures and encode them as training instances: latents, masks and prompts of
several augmented images of each picture.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from modelsheet.diffusion.models.base_model import BaseModel, image_tensor
from modelsheet.diffusion.training.aspect_buckets import bucket_for
from modelsheet.diffusion.training.augmentation import AugmentedImage, augmented_images
from modelsheet.imaging.framing import (
    crop_pictures,
    fit,
    fit_drawn_sprite,
    has_transparency,
    losing_detail,
    require_content,
)
from modelsheet.imaging.likeness import DrawnReferences
from modelsheet.imaging.rgba import composite
from modelsheet.prompts.captions import FLAT_BACKGROUNDS, PromptTemplate

MASK_FLOOR = 0.15  # the background still counts a little, so that it stays as captioned
_MOST_DRAWN = 16  # each takes 6 MB at 512 px
_NEAR_DUPLICATE = 4.0  # levels of mean difference
_LARGEST_SCALE = 16  # of a 32 px sprite, to 512 px: finer detail is no part of its likeness
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

    Raises InvalidImages for an empty one.
    """
    return [fit_picture(picture, base) for picture in crop_references(pictures, base)]


def crop_references(pictures: Sequence[Image.Image], base: BaseModel) -> list[Image.Image]:
    """Crop RGBA pictures to what the base learns of them, still at the size they were drawn.

    Raises InvalidImages for an empty one.
    """
    require_content(pictures)
    return crop_pictures(pictures, base.training_resolution if base.is_pixel_art else 0)


def fit_picture(cropped: Image.Image, base: BaseModel) -> Image.Image:
    """Scale a cropped picture into its aspect bucket."""
    return fit(cropped, *bucket_for(cropped.size, base), as_sprite=base.is_pixel_art)


def drawn_references(cropped: Sequence[Image.Image], base: BaseModel) -> DrawnReferences | None:
    """Return the cropped pictures, or some of many, at the size they were drawn, to measure sprites
    by; None where the base paints no sprites.
    """
    if not base.is_pixel_art:
        return None
    longest = max(max(picture.size) for picture in cropped)
    scale = min(_LARGEST_SCALE, math.ceil(longest / base.training_resolution))
    step = math.ceil(len(cropped) / _MOST_DRAWN)
    drawn = [
        fit_drawn_sprite(picture, base.training_resolution, scale) for picture in cropped[::step]
    ]
    return DrawnReferences(drawn, scale)


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


def reduction_warnings(cropped: Sequence[Image.Image], base: BaseModel) -> list[str]:
    """Warn, in sentences for the user, of pictures that are larger than the base learns them."""
    drawn = losing_detail(cropped, base.training_resolution, as_sprite=base.is_pixel_art)
    if drawn is None:
        return []
    width, height = bucket_for(drawn.size, base)
    return [
        f"What was drawn at {drawn.width} × {drawn.height} pixels is learnt at {width} × {height}: "
        "fine detail is lost.",
        "Likeness is measured at the size the pictures were drawn."
        if base.is_pixel_art
        else "Likeness is measured at the size at which the pictures were learnt.",
    ]


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


def _difference(one: Image.Image, other: Image.Image) -> float:
    """Return the mean difference of two prepared pictures on grey, in levels."""
    small = [composite(picture, (128, 128, 128)).resize((32, 32)) for picture in (one, other)]
    levels = [np.asarray(picture, np.float32) for picture in small]
    return float(np.abs(levels[0] - levels[1]).mean())
