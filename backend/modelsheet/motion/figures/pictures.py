"""Define what all modules share: size and views of pictures, pictures as arrays. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

SIZE = 64
VIEWS = ("back", "left", "front", "right")  # the order of rows in a sheet, and of embeddings
UNKNOWN_VIEW = len(VIEWS)
MAX_DRAWINGS = 3  # an item is padded to so many
Picture: TypeAlias = np.ndarray  # (64, 64, 4) uint8, straight alpha


def blank() -> Picture:
    """Make a clear picture."""
    return np.zeros((SIZE, SIZE, 4), np.uint8)


def channels_first(pictures: Sequence[Picture]) -> np.ndarray:
    """Stack pictures as a network takes them: (number, 4, 64, 64) uint8."""
    return np.ascontiguousarray(np.stack(pictures).transpose(0, 3, 1, 2))


def nearest_index(views: Sequence[int], wanted: int) -> int:
    """Choose the drawing to start from: one of the wanted view, else the front, else the first."""
    for view in (wanted, VIEWS.index("front")):
        if view in views:
            return views.index(view)
    return 0
