"""Register mannequins to a drawing: find the body and proportions whose outlines lie on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace

import numpy as np
import numpy.typing as npt

from modelsheet.motion.figures.fitting import Measurement, settle
from modelsheet.motion.figures.mannequin import Proportions, Warp, grey
from modelsheet.motion.figures.mannequin_archive import Figure
from modelsheet.motion.figures.pictures import Picture

_HALF = 128  # levels of alpha
_STEP = 15  # levels of luminance: an edge inside a figure
_BESIDE, _RIM, _EDGES = -2.0, 3.0, 3.0  # weights of shares of a mannequin's pixels
_LIKELY = 0.6  # weight of a body's likelihood
_FAR = 0.03  # weight of squared distances from what was measured, in units of its errors:
_ERRORS = np.array([1.5, 1.4, 0.8, 0.4, 1.4, 2.0])  # px, in the order of Proportions
_GAIN = 0.05  # by which a change must be better
_ROUNDS = 4
# Measures that are changed together, and by how many px.
_CHANGES = (
    (("top", "neck"), (-2, -1, 1, 2)),
    (("top",), (-2, -1, 1, 2)),
    (("neck",), (-1, 1)),
    (("body",), (-3, -2, -1, 1, 2, 3)),
    (("head",), (-2, -1, 1, 2)),
    (("centre",), (-0.5, 0.5)),
    (("top", "neck", "feet"), (-1, 1)),
)
_SMALLEST_HEAD, _SMALLEST_TRUNK, _SMALLEST_WIDTH = 2, 4, 3  # px

Mask = npt.NDArray[np.bool_]


class Outlines:
    """Where a picture is opaque, the rim of that, and its steps in luminance: up 1, down -1."""

    def __init__(self, picture: Picture) -> None:
        self.inside: Mask = picture[..., 3] >= _HALF
        padded = np.pad(self.inside, 1)
        across, down = padded[1:-1], padded[:, 1:-1]
        enclosed = across[:, :-2] & across[:, 2:] & down[:-2] & down[2:]
        self.rim: Mask = self.inside & ~enclosed
        level = np.where(self.inside, grey(picture)[..., 0].astype(np.int16), _HALF)
        steps = [np.diff(level, axis=axis, append=_HALF) for axis in (0, 1)]
        self.steps = np.sign(steps) * (np.abs(steps) > _STEP)

    def agreement(self, drawing: Outlines) -> float:
        """Score how well these outlines of a mannequin lie on those of a drawing."""
        beside = _share(~drawing.inside, self.inside)
        rim = _share(drawing.rim, self.rim)
        edges = _share(drawing.steps == self.steps, self.steps != 0)
        return _BESIDE * beside + _RIM * rim + _EDGES * edges


def register(
    picture: Picture, view: str, measured: Measurement, figures: Mapping[str, Figure]
) -> tuple[str, Proportions]:
    """Choose the body, one of the figures, and proportions near to those measured on a drawing.

    The picture is the model's, and `measured` in its px.
    """
    drawing = Outlines(picture)
    near = np.array(astuple(measured.proportions))

    def score(body: str, fit: Proportions) -> float:
        figure = figures[body]
        warped = Warp(figure.proportions, fit)(figure.standing(view))
        away = np.square((np.array(astuple(fit)) - near) / _ERRORS).sum()
        agreement = Outlines(warped).agreement(drawing)
        return agreement + _LIKELY * measured.bodies[body] - _FAR * float(away)

    starts = [
        (body, start.moved(right, down))
        for body, figure in figures.items()
        for start in _starts(measured.proportions, figure.proportions)
        for right in (-0.5, 0, 0.5)
        for down in (-1, 0, 1)
    ]
    body, fit = max(starts, key=lambda start: score(*start))
    best = score(body, fit)
    for _ in range(_ROUNDS):
        start = fit
        for names, steps in _CHANGES:
            for changed in [_changed(fit, names, step) for step in steps]:
                if _is_possible(changed) and (found := score(body, changed)) > best + _GAIN:
                    best, fit = found, changed
        if fit == start:
            break
    return body, fit


def _starts(measured: Proportions, own: Proportions) -> list[Proportions]:
    """Return what is measured, settled, and a figure's own proportions at the same place."""
    settled = settle(measured, own)
    return [settled, own.moved(settled.centre - own.centre, settled.feet - own.feet)]


def _changed(fit: Proportions, names: Sequence[str], step: float) -> Proportions:
    return replace(fit, **{name: getattr(fit, name) + step for name in names})


def _is_possible(fit: Proportions) -> bool:
    return (
        fit.neck - fit.top > _SMALLEST_HEAD
        and fit.feet - fit.neck > _SMALLEST_TRUNK
        and min(fit.head, fit.body) >= _SMALLEST_WIDTH
    )


def _share(hits: Mask, among: Mask) -> float:
    return float((hits & among).sum() / max(1, among.sum()))
