"""Measure a drawn figure: which body it has, and where head, neck and feet are."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from modelsheet.motion.figures.mannequin import Proportions
from modelsheet.motion.figures.mannequin_archive import FOLDER

MEASURES_NAME = "measures.json"
_BANDS = 24  # rows of a silhouette that are looked at
_LEAST = 0.05  # of a figure's height: no head, body or leg is smaller
_NEAR = 0.12  # of a mannequin's own measure: within the error of measuring
Silhouette = npt.NDArray[np.bool_]  # (H, W), true inside the figure


class SilhouetteFeatures:
    """Widths and sides of a figure at some of its rows, in units of its height.

    `anchors` are where the six measures of `Proportions` count from, in px.
    """

    def __init__(self, figure: Silhouette) -> None:
        used = np.flatnonzero(figure.any(1))
        top, feet = int(used[0]), int(used[-1]) + 1
        self.height = feet - top
        rows = (top + (np.arange(_BANDS) + 0.5) / _BANDS * self.height).astype(int)
        band = figure[rows]
        is_used = band.any(1)
        left, right = band.argmax(1), band.shape[1] - band[:, ::-1].argmax(1)
        centre = float(np.median((left + right)[is_used]) / 2)
        sides = np.where(is_used, [left, right], centre) - centre
        widths = band.sum(1)
        self.values = np.concatenate([[1.0], np.concatenate([widths, *sides]) / self.height])
        self.anchors = np.array([top, top, feet, centre, 0, 0], np.float64)


@dataclass(frozen=True)
class Measurement:
    """Estimates from a silhouette: how likely each body is, about 0..1, and the proportions."""

    bodies: Mapping[str, float]
    proportions: Proportions


class FigureMeasurer:
    """Linear estimates of a figure's proportions and body from its silhouette, for each view."""

    def __init__(self, table: Mapping[str, object]) -> None:
        self._bodies = list(table["bodies"])  # type: ignore[call-overload]
        views: Mapping[str, list[list[float]]] = table["views"]  # type: ignore[assignment]
        self._weights = {view: np.array(weights) for view, weights in views.items()}

    @classmethod
    def read(cls, path: Path) -> FigureMeasurer:
        """Read the weights of a measurer."""
        return cls(json.loads(path.read_text("utf-8")))

    def measure(self, figure: Silhouette, view: str) -> Measurement:
        """Estimate bodies and proportions, in px of the silhouette; it is not empty."""
        features = SilhouetteFeatures(figure)
        estimate = features.values @ self._weights[view]
        measures = estimate[:6] * features.height + features.anchors
        bodies = dict(zip(self._bodies, estimate[6:].tolist(), strict=True))
        return Measurement(bodies, _plausible(measures, features))


@functools.cache
def embedded_measurer() -> FigureMeasurer:
    """Return the measurer inside this package; it is read once."""
    return FigureMeasurer.read(FOLDER / MEASURES_NAME)


def write_measures(
    path: Path, bodies: list[str], views: Mapping[str, npt.NDArray[np.float64]]
) -> None:
    """Write the weights of a measurer: (73, 6 + bodies) for each view."""
    rounded = {view: weights.round(4).tolist() for view, weights in views.items()}
    path.write_text(json.dumps({"bodies": bodies, "views": rounded}) + "\n", "utf-8")


def settle(measured: Proportions, own: Proportions) -> Proportions:
    """Let a mannequin keep its own measures, in px, where those measured are near to them.

    It then keeps its pixels too, and stands on whole ones: 1 % more of the drawn pixels are exact.
    """
    feet = float(round(measured.feet))
    neck = feet - _own_if_near(measured.feet - measured.neck, own.feet - own.neck)
    return Proportions(
        neck - _own_if_near(measured.neck - measured.top, own.neck - own.top),
        neck,
        feet,
        round(2 * measured.centre) / 2,
        _own_if_near(measured.head, own.head),
        _own_if_near(measured.body, own.body),
    )


def _own_if_near(measured: float, own: float) -> float:
    return own if abs(measured - own) <= _NEAR * own else measured


def _plausible(measures: npt.NDArray[np.float64], features: SilhouetteFeatures) -> Proportions:
    """Keep an estimate for an unusual figure inside its silhouette."""
    least, drawn_top, drawn_feet = _LEAST * features.height, *features.anchors[[0, 2]]
    top, neck, feet, centre, head, body = measures.tolist()
    top = float(np.clip(top, drawn_top, drawn_top + 0.3 * features.height))
    feet = float(np.clip(feet, drawn_feet - 0.1 * features.height, drawn_feet + least))
    neck = float(np.clip(neck, top + least, feet - 2 * least))
    return Proportions(top, neck, feet, centre, max(head, least), max(body, least))
