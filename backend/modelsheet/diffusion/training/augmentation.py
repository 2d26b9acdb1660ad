"""The views that are learnt of one picture: on which background, where in the frame, how near."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from modelsheet.imaging.rgba import Colour, bleed_colours, composite, resize
from modelsheet.prompts.captions import FLAT_BACKGROUNDS

_CLOSEST_CROP = 0.88  # of a photograph's sides
_SAME_COLOUR, _SAME_SHARE = 12, 0.98  # levels, and of the border's pixels


@dataclass(frozen=True)
class View:
    """`shown` on the background of that name, and whose alpha is the mask."""

    shown: Image.Image
    alpha: Image.Image
    background: str | None

    def both(self, flip: bool) -> list[View]:
        if not flip:
            return [self]
        mirrored = ImageOps.mirror(self.shown), ImageOps.mirror(self.alpha)
        return [self, View(*mirrored, self.background)]


def views_of(
    picture: Image.Image, number: int, most: int, chance: random.Random, *, moves: bool
) -> Iterator[View]:
    """Views of the `number`th picture, the first as it is: cut-outs on flat backgrounds and, with
    `moves`, elsewhere in their frame; photographs whole and, with `moves`, in crops.
    """
    if not has_transparency(picture):
        background = flat_background(picture)
        crops = [picture, *_crops(picture, chance)] if moves else [picture]
        for crop in crops[:most]:
            yield View(crop.convert("RGB"), crop.getchannel("A"), background)
        return
    names = list(FLAT_BACKGROUNDS)
    for index in range(most):
        name = names[(index + number * most) % len(names)]
        moved = _moved(picture, chance) if moves and index else picture
        ground = composite(bleed_colours(moved), FLAT_BACKGROUNDS[name])
        yield View(ground, moved.getchannel("A"), name)


def _crops(picture: Image.Image, chance: random.Random) -> list[Image.Image]:
    return [_crop(picture, chance.uniform(_CLOSEST_CROP, 0.97), chance) for _ in range(3)]


def _crop(picture: Image.Image, share: float, chance: random.Random) -> Image.Image:
    width, height = round(picture.width * share), round(picture.height * share)
    left = chance.randint(0, picture.width - width)
    top = chance.randint(0, picture.height - height)
    return resize(picture.crop((left, top, left + width, top + height)), *picture.size)


def _moved(picture: Image.Image, chance: random.Random) -> Image.Image:
    """The same figure elsewhere in its frame, nothing of it cut off and no pixel resampled."""
    left, top, right, bottom = picture.getchannel("A").getbbox() or (0, 0, *picture.size)
    across = chance.randint(-left, picture.width - right)
    down = chance.randint(-top, picture.height - bottom)
    canvas = Image.new("RGBA", picture.size)
    canvas.paste(picture, (across, down))
    return canvas


def flat_background(picture: Image.Image) -> str | None:
    """The name of the flat colour that an opaque picture has all along its border, if any."""
    pixels = np.asarray(picture.convert("RGB"), np.int16)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    for name, colour in FLAT_BACKGROUNDS.items():
        if _share_of(colour, border) >= _SAME_SHARE:
            return name
    return None


def _share_of(colour: Colour, pixels: npt.NDArray[np.int16]) -> float:
    return float((np.abs(pixels - np.array(colour)).max(axis=-1) <= _SAME_COLOUR).mean())


def has_transparency(picture: Image.Image) -> bool:
    return int(np.asarray(picture.getchannel("A")).min()) < 255
