"""Augment a reference picture for training: flat backgrounds, translations, crops, mirroring."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from modelsheet.imaging.framing import has_transparency
from modelsheet.imaging.rgba import Colour, bleed_colours, composite, resize
from modelsheet.prompts.captions import FLAT_BACKGROUNDS

_CLOSEST_CROP = 0.88  # of a photograph's sides
_SAME_COLOUR, _SAME_SHARE = 12, 0.98  # levels, and of the border's pixels


@dataclass(frozen=True)
class AugmentedImage:
    """An RGB image on the background of that name, None where it is unknown; `alpha` becomes the
    mask.
    """

    image: Image.Image
    alpha: Image.Image
    background: str | None

    def with_mirrored(self, flip: bool) -> list[AugmentedImage]:
        """Return this image and, with `flip`, its mirror image."""
        if not flip:
            return [self]
        mirrored = ImageOps.mirror(self.image), ImageOps.mirror(self.alpha)
        return [self, AugmentedImage(*mirrored, self.background)]


def augmented_images(
    picture: Image.Image, number: int, most: int, rng: random.Random, *, geometric: bool
) -> Iterator[AugmentedImage]:
    """Yield up to `most` images of the `number`th picture, the first as it is.

    Cut-outs come on flat backgrounds and, with `geometric`, translated in their frame; photographs
    whole and, with `geometric`, in crops.
    """
    if not has_transparency(picture):
        background = flat_background(picture)
        crops = [picture, *_crops(picture, rng)] if geometric else [picture]
        for crop in crops[:most]:
            yield AugmentedImage(crop.convert("RGB"), crop.getchannel("A"), background)
        return
    names = list(FLAT_BACKGROUNDS)
    for index in range(most):
        name = names[(index + number * most) % len(names)]
        cutout = _translated(picture, rng) if geometric and index else picture
        image = composite(bleed_colours(cutout), FLAT_BACKGROUNDS[name])
        yield AugmentedImage(image, cutout.getchannel("A"), name)


def _crops(picture: Image.Image, rng: random.Random) -> list[Image.Image]:
    return [_crop(picture, rng.uniform(_CLOSEST_CROP, 0.97), rng) for _ in range(3)]


def _crop(picture: Image.Image, share: float, rng: random.Random) -> Image.Image:
    width, height = round(picture.width * share), round(picture.height * share)
    left = rng.randint(0, picture.width - width)
    top = rng.randint(0, picture.height - height)
    return resize(picture.crop((left, top, left + width, top + height)), *picture.size)


def _translated(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Move the figure within its frame; nothing of it is cut off and no pixel resampled."""
    left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, *picture.size)
    dx = rng.randint(-left, picture.width - right)
    dy = rng.randint(-top, picture.height - bottom)
    canvas = Image.new("RGBA", picture.size)
    canvas.paste(picture, (dx, dy))
    return canvas


def flat_background(picture: Image.Image) -> str | None:
    """Return the name of the flat colour along an opaque picture's whole border, if it has one."""
    pixels = np.asarray(picture.convert("RGB"), np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    for name, colour in FLAT_BACKGROUNDS.items():
        if _share_of(colour, border) >= _SAME_SHARE:
            return name
    return None


def _share_of(colour: Colour, pixels: npt.NDArray[np.int16]) -> float:
    return float((np.abs(pixels - np.array(colour)).max(axis=-1) <= _SAME_COLOUR).mean())
