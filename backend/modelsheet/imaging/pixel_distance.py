"""How far a small picture is from others, pixel by pixel and colour by colour. No torch here."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def shifted_distances(
    picture: Pixels, candidates: Pixels, reach: int = 1
) -> npt.NDArray[np.float32]:
    """Mean squared distance of a picture (H, W, 3) to each candidate (N, H, W, 3) in levels, the
    least over shifts of the picture by up to `reach` pixels.
    """
    reference = candidates.astype(np.float32)
    distances = [
        np.square(shifted.astype(np.float32) - reference).mean((1, 2, 3))
        for shifted in _shifts_of(picture, reach)
    ]
    nearest: npt.NDArray[np.float32] = np.min(distances, axis=0)
    return nearest


def foreground_distance(picture: Pixels, truth: Pixels, foreground: Mask, reach: int = 2) -> float:
    """Mean squared distance in [0, 1] of a picture to the truth, both (H, W, 3), over the pixels of
    `foreground` (H, W) alone; the least over shifts of the picture.
    """
    wanted = truth[foreground].astype(np.float32)
    squares = [
        float(np.square(shifted[foreground].astype(np.float32) - wanted).mean())
        for shifted in _shifts_of(picture, reach)
    ]
    return min(squares) / 255**2


def palette_distance(one: Pixels, other: Pixels) -> float:
    """How far two lots of pixels (N, 3), (M, 3) are in their colours alone, in [0, 1]: the mean
    distance of each pixel to the nearest colour of the other, both ways (chamfer distance).
    """
    mine, my_counts = np.unique(one, axis=0, return_counts=True)
    theirs, their_counts = np.unique(other, axis=0, return_counts=True)
    apart = np.linalg.norm(mine[:, None].astype(np.float32) - theirs[None], axis=2)
    there = np.average(apart.min(1), weights=my_counts)
    back = np.average(apart.min(0), weights=their_counts)
    return float(there + back) / (2 * 255 * math.sqrt(3))


def _shifts_of(picture: Pixels, reach: int) -> list[Pixels]:
    steps = range(-reach, reach + 1)
    return [_shifted(picture, down, right, reach) for down in steps for right in steps]


def _shifted(picture: Pixels, down: int, right: int, reach: int) -> Pixels:
    padded = np.pad(picture, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width = picture.shape[:2]
    top, left = reach - down, reach - right
    return padded[top : top + height, left : left + width]
