"""Likeness of generated sprites to drawn pictures, at the size of the drawings.

Embeddings of a reduced picture cannot tell a figure from a blob of its colours. Here three things
count alike: the outline, the colours in their places, and detail, which are eyes and lines.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean

import numpy as np
import numpy.typing as npt
from PIL import Image

from modelsheet.imaging.palettes import srgb_to_oklab
from modelsheet.imaging.rgba import enlarge_pixels

_Levels = npt.NDArray[np.float32]
_Mask = npt.NDArray[np.bool_]

_HALF = 128  # levels of alpha
_GROUND = (0.6, 0.0, 0.0)  # OKLab, outside the figure
_OTHER_COLOUR = 0.25  # distance in OKLab from which two colours have nothing in common
_PLACE, _NEIGHBOURHOOD = 2, 4  # sprite pixels: colours are compared, and detail is measured, within
_SHIFTS = (0, -1, 1)  # sprite pixels


@dataclass(frozen=True)
class _Features:
    """Outline, colours blurred to their places, and what they lack of the picture, the detail."""

    outline: _Mask
    colours: _Levels
    detail: _Levels

    def shifted(self, down: int, right: int) -> _Features:
        by = (down, right)
        return _Features(
            np.roll(self.outline, by, (0, 1)),
            np.roll(self.colours, by, (0, 1)),
            np.roll(self.detail, by, (0, 1)),
        )


class DrawnReferences:
    """References at the size they were drawn: square RGBA pictures, `scale` times a sprite."""

    def __init__(self, pictures: Sequence[Image.Image], scale: int) -> None:
        self.scale = scale
        self._features = [_features(picture, scale) for picture in pictures]

    def likeness(self, sprites: Sequence[Image.Image]) -> float:
        """Return the mean likeness in [0, 1] of RGBA sprites, each to the most similar reference.

        1 is the very picture; a reduced one has less, as its lost detail counts.
        """
        scale = self.scale
        features = [_features(enlarge_pixels(sprite, scale), scale) for sprite in sprites]
        return mean(max(self._compare(each, own) for own in self._features) for each in features)

    def _compare(self, sprite: _Features, reference: _Features) -> float:
        """Return the geometric mean of the three parts, where the outlines fit best."""
        shifts = [(down * self.scale, right * self.scale) for down in _SHIFTS for right in _SHIFTS]
        best = max(shifts, key=lambda each: _overlap(_rolled(sprite, each), reference.outline))
        moved = sprite.shifted(*best)
        parts = (
            _overlap(moved.outline, reference.outline),
            _colour_likeness(moved, reference),
            _detail_likeness(moved, reference),
        )
        return float(math.prod(parts) ** (1 / len(parts)))


def _features(picture: Image.Image, scale: int) -> _Features:
    rgba = np.asarray(picture.convert("RGBA"))
    outline = rgba[..., 3] >= _HALF
    oklab = np.full((*outline.shape, 3), _GROUND, dtype=np.float32)
    oklab[outline] = srgb_to_oklab(rgba[outline][:, :3])
    colours = _blurred(oklab, _PLACE * scale)
    return _Features(outline, colours, oklab - _blurred(oklab, _NEIGHBOURHOOD * scale))


def _blurred(levels: _Levels, size: int) -> _Levels:
    """Blur (H, W, C) by averaging squares of `size` px and interpolating between them."""
    height, width = levels.shape[:2]
    small = max(1, width // size), max(1, height // size)
    channels = [Image.fromarray(levels[..., c]) for c in range(levels.shape[2])]
    blurred = [
        np.asarray(
            channel.resize(small, Image.Resampling.BOX).resize(
                (width, height), Image.Resampling.BILINEAR
            )
        )
        for channel in channels
    ]
    return np.stack(blurred, axis=-1)


def _rolled(sprite: _Features, shift: tuple[int, int]) -> _Mask:
    return np.roll(sprite.outline, shift, (0, 1))


def _overlap(one: _Mask, other: _Mask) -> float:
    """Return the intersection of two outlines over their union."""
    return float((one & other).sum() / max(1, (one | other).sum()))


def _colour_likeness(one: _Features, other: _Features) -> float:
    both = one.outline & other.outline
    if not both.any():
        return 0.0
    distance = np.linalg.norm(one.colours[both] - other.colours[both], axis=-1)
    return 1 - float((distance / _OTHER_COLOUR).clip(max=1).mean())


def _detail_likeness(one: _Features, other: _Features) -> float:
    """Return the contrast and structure terms of SSIM (Wang et al. 2004), over the whole figure."""
    either = one.outline | other.outline
    first, second = one.detail[either], other.detail[either]
    energy = float(np.square(first).sum() + np.square(second).sum())
    if energy == 0:
        return 1.0
    return max(0.0, 2 * float((first * second).sum()) / energy)
