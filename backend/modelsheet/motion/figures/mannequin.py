"""Define mannequins, grey figures that show a pose, and fit one figure to another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from modelsheet.motion.figures.pictures import SIZE, Picture

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def grey(picture: Picture) -> Picture:
    """Convert a picture to the same shading in neutral greys."""
    out: Picture = picture.copy()
    out[..., :3] = np.round(picture[..., :3].astype(np.float32) @ _LUMA)[..., None]
    out[picture[..., 3] == 0] = 0
    return out


@dataclass(frozen=True)
class Proportions:
    """Measures in px of a standing figure seen from the front, on the canvas; rows go down."""

    top: float
    neck: float
    feet: float
    centre: float
    head: float  # width
    body: float  # width

    def moved(self, right: float, down: float) -> Proportions:
        return replace(
            self,
            top=self.top + down,
            neck=self.neck + down,
            feet=self.feet + down,
            centre=self.centre + right,
        )


class Warp:
    """A nearest-neighbour resampling that gives a figure of proportions `old` those of `new`."""

    def __init__(self, old: Proportions, new: Proportions) -> None:
        y = np.arange(SIZE) + 0.5 - new.neck
        is_head = y < 0
        above = (old.neck - old.top) / (new.neck - new.top)
        below = (old.feet - old.neck) / (new.feet - new.neck)
        rows = np.floor(old.neck + y * np.where(is_head, above, below)).astype(int)
        x = np.arange(SIZE) + 0.5 - new.centre
        width = np.where(is_head, old.head / new.head, old.body / new.body)
        columns = np.floor(old.centre + x[None] * width[:, None]).astype(int)
        rows = np.broadcast_to(rows[:, None], columns.shape)
        self.outside = (rows < 0) | (rows >= SIZE) | (columns < 0) | (columns >= SIZE)
        self.rows, self.columns = rows.clip(0, SIZE - 1), columns.clip(0, SIZE - 1)
        self.is_identity = old == new

    def __call__(self, picture: Picture) -> Picture:
        if self.is_identity:
            return picture
        out: Picture = picture[self.rows, self.columns]
        out[self.outside] = 0
        return out
