"""Whether a painted picture is the right one: how far it is from the truth, and whether any rival
is nearer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from modelsheet.imaging.keying import key_out
from modelsheet.imaging.pixel_distance import (
    Pixels,
    foreground_distance,
    palette_distance,
    shifted_distances,
)
from modelsheet.imaging.rgba import composite
from modelsheet_benchmarks.distractors import Rivals

_REACH = 2  # px by which a picture may be shifted
_WHITE = (255, 255, 255)


@dataclass(frozen=True)
class Verdict:
    """`distance` is the mean square in [0, 1] over the truth's foreground, `palette_distance` that
    of the colours alone; the others say whether the truth is nearer than any picture with another
    thing, of another subject, or of either.
    """

    distance: float
    palette_distance: float
    subject_right: bool
    prompt_right: bool
    both_right: bool


def judge(picture: Image.Image, truths: Sequence[Image.Image], rivals: Rivals) -> Verdict:
    """Compare a picture on white with its truths (RGBA) and with what would be wrong."""
    shown = picture.convert("RGB")
    if shown.size != truths[0].size:
        shown = shown.resize(truths[0].size, Image.Resampling.BOX)
    pixels = np.asarray(shown)
    right = np.stack([np.asarray(composite(truth, _WHITE)) for truth in truths])
    own = _least(pixels, right)
    prompt_right = own < _least(pixels, rivals.things)
    subject_right = own < _least(pixels, rivals.subjects)
    both_right = prompt_right and subject_right and own < _least(pixels, rivals.strangers)
    distances = [_distances(shown, truth) for truth in truths]
    return Verdict(
        distance=min(each for each, _ in distances),
        palette_distance=min(each for _, each in distances),
        subject_right=subject_right,
        prompt_right=prompt_right,
        both_right=both_right,
    )


def _least(pixels: Pixels, candidates: Pixels) -> float:
    """The whole frame counts, so that a small rival is not nearer for being small."""
    if not len(candidates):
        return float("inf")
    return float(shifted_distances(pixels, candidates, _REACH).min())


def _distances(picture: Image.Image, truth: Image.Image) -> tuple[float, float]:
    pixels, wanted = np.asarray(picture), np.asarray(composite(truth, _WHITE))
    foreground = np.asarray(truth.getchannel("A")) > 0
    painted = pixels.reshape(-1, 3)
    if not foreground.all():  # it stands on white, which is nobody's colour
        cut = np.asarray(key_out(picture, _WHITE, hard_edge=True))
        opaque = cut[..., 3] > 0
        painted = cut[opaque][:, :3] if opaque.any() else painted
    return (
        foreground_distance(pixels, wanted, foreground, _REACH),
        palette_distance(painted, wanted[foreground]),
    )
