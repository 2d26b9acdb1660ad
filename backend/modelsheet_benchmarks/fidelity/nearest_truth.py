"""Compare a generated image with the true one: its distance, and if any distractor is nearer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modelsheet.imaging.keying import key_out
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.fidelity.distractors import Distractors
from modelsheet_benchmarks.image_distance import (
    Pixels,
    foreground_distance,
    palette_distance,
    shifted_distances,
)

_REACH = 2  # px by which a picture may be shifted
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class TruthComparison:
    """The comparison of one image with the true one and with distractors.

    `distance` is the mean square in [0, 1] over the true image's foreground, `palette_distance`
    that of the colours alone. The others tell if the true image is nearer than all distractors:
    `prompt_right` those with other equipment, `subject_right` those of other subjects,
    `both_right` these and those with both.
    """

    distance: float
    palette_distance: float
    subject_right: bool
    prompt_right: bool
    both_right: bool


def compare_with_truth(
    picture: Image.Image, truths: Sequence[Image.Image], distractors: Distractors
) -> TruthComparison:
    """Compare an image on white with the true ones (RGBA) and with distractors."""
    shown = picture.convert("RGB")
    if shown.size != truths[0].size:
        shown = shown.resize(truths[0].size, Image.Resampling.BOX)
    pixels = np.asarray(shown)
    right = np.stack([np.asarray(composite(truth, _WHITE)) for truth in truths])
    own = _least(pixels, right)
    prompt_right = own < _least(pixels, distractors.other_equipment)
    subject_right = own < _least(pixels, distractors.other_subjects)
    both_right = prompt_right and subject_right and own < _least(pixels, distractors.other_both)
    distances = [_distances(shown, truth) for truth in truths]
    return TruthComparison(
        distance=min(each for each, _ in distances),
        palette_distance=min(each for _, each in distances),
        subject_right=subject_right,
        prompt_right=prompt_right,
        both_right=both_right,
    )


def _least(pixels: Pixels, candidates: Pixels) -> float:
    """Return the least distance to any candidate, over the whole frame: over the foreground alone a
    small candidate would be nearer for being small.
    """
    if not len(candidates):
        return float("inf")
    return float(shifted_distances(pixels, candidates, _REACH).min())


def _distances(picture: Image.Image, truth: Image.Image) -> tuple[float, float]:
    pixels, wanted = np.asarray(picture), np.asarray(composite(truth, _WHITE))
    foreground = np.asarray(truth.getchannel("A")) > 0
    colours = pixels.reshape(-1, 3)
    if not foreground.all():  # white is the background, no colour of the subject
        cut = np.asarray(key_out(picture, _WHITE, hard_edge=True))
        opaque = cut[..., 3] > 0
        colours = cut[opaque][:, :3] if opaque.any() else colours
    return (
        foreground_distance(pixels, wanted, foreground, _REACH),
        palette_distance(colours, wanted[foreground]),
    )
