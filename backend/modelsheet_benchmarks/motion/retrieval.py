"""Retrieve and dress: a baseline that answers with the nearest of many composed characters, in the
drawing's colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelsheet.motion.figures.pictures import VIEWS, Picture
from sprite_training.motion.character_parts import Character, PartLayer
from sprite_training.motion.characters import random_character
from sprite_training.motion.posed_archive import Pose, PosedArchive

_RECOLOURED = 40  # candidates of the nearest outlines
_Codes = npt.NDArray[np.int64]  # (64, 64), a colour as one number, 0 where clear


@dataclass(frozen=True)
class _Candidate:
    layers: Sequence[PartLayer]
    standing: dict[str, _Codes]


class Retrieval:
    """Some thousand random characters, made of parts that `archive` may use.

    `seed` is not that of random test characters, or they would be among them.
    """

    def __init__(self, archive: PosedArchive, number: int, seed: int = 1) -> None:
        self._archive = archive
        rng = np.random.default_rng(seed)
        self._candidates = [
            self._candidate(random_character(archive.parts, rng)) for _ in range(number)
        ]
        self._outlines = {
            view: np.stack([c.standing[view].ravel() > 0 for c in self._candidates])
            for view in VIEWS
        }

    def answers(self, drawing: Picture, view: str, poses: Sequence[Pose]) -> list[Picture]:
        """Answer poses of the character in a standing drawing."""
        wanted = _codes(drawing)
        outlines, own = self._outlines[view], wanted.ravel() > 0
        overlap = (outlines & own).sum(1) / np.maximum(1, (outlines | own).sum(1))
        nearest = np.argsort(-overlap, kind="stable")[:_RECOLOURED]
        dressed = [_Dress(self._candidates[i].standing[view], wanted) for i in nearest]
        best = max(range(len(dressed)), key=lambda k: dressed[k].exact)
        layers = self._candidates[nearest[best]].layers
        return [dressed[best](self._archive.draw(layers, pose)) for pose in poses]

    def _candidate(self, character: Character) -> _Candidate:
        layers = self._archive.parts.layers(character)
        standing = {
            view: _codes(self._archive.draw(layers, self._archive.standing(view))) for view in VIEWS
        }
        return _Candidate(layers, standing)


class _Dress:
    """A recolouring: each colour of a candidate becomes what is most often in its place."""

    def __init__(self, candidate: _Codes, wanted: _Codes) -> None:
        self._map: dict[int, int] = {}
        hits = 0
        for colour in np.unique(candidate[candidate > 0]):
            there = wanted[(candidate == colour) & (wanted > 0)]
            if len(there):
                found, counts = np.unique(there, return_counts=True)
                self._map[int(colour)] = int(found[counts.argmax()])
                hits += int(counts.max())
        self.exact = hits / max(1, int(((candidate > 0) | (wanted > 0)).sum()))

    def __call__(self, picture: Picture) -> Picture:
        """Recolour; a colour that the standing view lacks becomes as its nearest one."""
        codes = _codes(picture)
        known = np.array(list(self._map), np.int64)
        out = np.zeros_like(codes)
        for colour in np.unique(codes[codes > 0]):
            distance = np.abs(_channels(known) - _channels(np.array([colour]))).sum(1)
            out[codes == colour] = self._map[int(known[distance.argmin()])]
        return _channels(out.ravel()).reshape(picture.shape).astype(np.uint8)


def _codes(picture: Picture) -> _Codes:
    wide = picture.astype(np.int64)
    codes: _Codes = wide[..., 3] << 24 | wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]
    return np.where(wide[..., 3] > 0, codes, 0)


def _channels(codes: _Codes) -> npt.NDArray[np.int64]:
    """Split codes (N,) into RGBA (N, 4)."""
    return np.stack([codes >> 16 & 255, codes >> 8 & 255, codes & 255, codes >> 24 & 255], axis=-1)
