"""Find how a silhouette tells a figure's proportions: ridge regression on composed characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple

import numpy as np
import numpy.typing as npt

from modelsheet.motion.figures.fitting import SilhouetteFeatures
from modelsheet.motion.figures.mannequin import Warp
from modelsheet.motion.figures.pictures import VIEWS
from sprite_training.motion.augmentation import random_proportions
from sprite_training.motion.characters import random_character
from sprite_training.motion.posed_archive import PosedArchive

BODIES = ("female", "male", "child")
_LIKE = {"muscular": "male", "pregnant": "female", "teen": "female"}
_RIDGE = 0.1
_SMALLEST = 50  # px of a figure


def find_measures(
    archives: Sequence[PosedArchive], number: int, rng: np.random.Generator
) -> dict[str, npt.NDArray[np.float64]]:
    """Fit the weights (features, 6 + bodies) of each view to `number` random characters."""
    features: dict[str, list[npt.NDArray[np.float64]]] = {view: [] for view in VIEWS}
    answers: dict[str, list[npt.NDArray[np.float64]]] = {view: [] for view in VIEWS}
    for _ in range(number):
        archive = archives[int(rng.integers(len(archives)))]
        character = random_character(archive.parts, rng)
        old = archive.proportions(character.body)
        new = random_proportions(rng, old) if rng.random() < 0.7 else old
        warp, layers = Warp(old, new), archive.parts.layers(character)
        body = _LIKE.get(character.body, character.body)
        for view in VIEWS:
            figure = warp(archive.draw(layers, archive.standing(view)))[..., 3] > 127
            if figure.sum() < _SMALLEST:
                continue
            found = SilhouetteFeatures(figure)
            relative = (np.array(astuple(new)) - found.anchors) / found.height
            features[view].append(found.values)
            answers[view].append(np.concatenate([relative, [body == one for one in BODIES]]))
    return {view: _ridge(np.array(features[view]), np.array(answers[view])) for view in VIEWS}


def _ridge(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Solve x (n, f) times weights (f, a) = y (n, a)."""
    return np.linalg.solve(x.T @ x + _RIDGE * np.eye(x.shape[1]), x.T @ y)
