"""How far a small picture is from others, pixel by pixel. No torch here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]


def shifted_distances(picture: Pixels, candidates: Pixels) -> npt.NDArray[np.float32]:
    """L2 distance of a picture (H, W, 3) to each candidate (N, H, W, 3), the least over shifts of
    the picture by up to one pixel.
    """
    shifts = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    reference = candidates.astype(np.float32)
    distances = [
        np.square(_shifted(picture, *shift).astype(np.float32) - reference).mean((1, 2, 3))
        for shift in shifts
    ]
    nearest: npt.NDArray[np.float32] = np.min(distances, axis=0)
    return nearest


def _shifted(picture: Pixels, down: int, right: int) -> Pixels:
    padded = np.pad(picture, ((1, 1), (1, 1), (0, 0)), mode="edge")
    height, width = picture.shape[:2]
    return padded[1 - down : 1 - down + height, 1 - right : 1 - right + width]
