"""Distances between small images: by pixels, by foreground pixels, and by palette."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]


def shifted_distances(image: Pixels, candidates: Pixels, reach: int = 1) -> npt.NDArray[np.float32]:
    """Return the mean squared distances in levels of an image (H, W, 3) to N candidates.

    `candidates` is (N, H, W, 3). Each distance is the minimum over shifts of the image by up to
    `reach` px.
    """
    reference = candidates.astype(np.float32)
    distances = [
        np.square(shifted.astype(np.float32) - reference).mean((1, 2, 3))
        for shifted in _shifts_of(image, reach)
    ]
    nearest: npt.NDArray[np.float32] = np.min(distances, axis=0)
    return nearest


def foreground_distance(image: Pixels, truth: Pixels, foreground: Mask, reach: int = 2) -> float:
    """Return the mean squared distance in [0, 1] of an image to the truth over the foreground.

    Both are (H, W, 3), `foreground` is (H, W). It is the minimum over shifts of the image by up to
    `reach` px.
    """
    target = truth[foreground].astype(np.float32)
    squares = [
        float(np.square(shifted[foreground].astype(np.float32) - target).mean())
        for shifted in _shifts_of(image, reach)
    ]
    return min(squares) / 255**2


def palette_distance(one: Pixels, other: Pixels) -> float:
    """Return the chamfer distance in [0, 1] of the colours of pixels (N, 3) and (M, 3).

    It is the mean distance of each pixel to the nearest colour of the other set, both ways.
    """
    mine, my_counts = np.unique(one, axis=0, return_counts=True)
    theirs, their_counts = np.unique(other, axis=0, return_counts=True)
    apart = np.linalg.norm(mine[:, None].astype(np.float32) - theirs[None], axis=2)
    there = np.average(apart.min(1), weights=my_counts)
    back = np.average(apart.min(0), weights=their_counts)
    return float(there + back) / (2 * 255 * math.sqrt(3))


def _shifts_of(image: Pixels, reach: int) -> list[Pixels]:
    steps = range(-reach, reach + 1)
    return [_shifted(image, down, right, reach) for down in steps for right in steps]


def _shifted(image: Pixels, down: int, right: int, reach: int) -> Pixels:
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    top, left = reach - down, reach - right
    return padded[top : top + height, left : left + width]
