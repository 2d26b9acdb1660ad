"""Vary training items: colours, proportions and the fit of a mannequin. No torch here."""

from __future__ import annotations

import numpy as np

from modelsheet.motion.figures.mannequin import Proportions
from modelsheet.motion.figures.pictures import Picture
from sprite_training.motion.character_parts import Character

_SKIN_TYPES = frozenset({"body", "head", "ears", "nose", "tail", "wings", "fins"})
_HAIR_TYPES = frozenset({"hair", "beard", "eyebrows"})
_RECOLOURED_SHARE = 0.75


def shift_colours(palette: np.ndarray, hue: float, saturation: float, gamma: float) -> np.ndarray:
    """Turn the hue of RGBA bytes (K, 4), by `hue` of a circle; unchanged if that merges colours."""
    rgb = palette[:, :3].astype(np.float32) / 255
    high, low = rgb.max(1, keepdims=True), rgb.min(1, keepdims=True)
    turned = rgb @ _hue_rotation(hue).T
    mean = turned.mean(1, keepdims=True)
    turned = mean + (turned - mean) * saturation
    brightness = turned.max(1, keepdims=True).clip(1e-3)
    turned = turned.clip(0) / brightness * high**gamma
    turned = np.where(low == high, high**gamma, turned)  # greys stay grey
    out = palette.copy()
    out[:, :3] = np.round(turned.clip(0, 1) * 255)
    visible = palette[:, 3] > 0
    return out if _colours(out[visible]) == _colours(palette[visible]) else palette


def _hue_rotation(turn: float) -> np.ndarray:
    """Compute the rotation (3, 3) of RGB around the grey axis, by `turn` of a circle."""
    cosine, sine = np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)
    a, b = (1 - cosine) / 3, np.sqrt(1 / 3) * sine
    rows = [[cosine + a, a - b, a + b], [a + b, cosine + a, a - b], [a - b, a + b, cosine + a]]
    return np.array(rows, np.float32)


def _colours(palette: np.ndarray) -> int:
    return len(np.unique(palette, axis=0))


class RandomRecolour:
    """A random change of a character's colours, one for each part; skin and hair change as one."""

    def __init__(self, rng: np.random.Generator, character: Character) -> None:
        self._keys = [_group(i, part.type) for i, part in enumerate(character.parts)]
        self._shifts: dict[object, tuple[float, float, float] | None] = {}
        for key in dict.fromkeys(self._keys):
            gamma = float(np.exp(rng.uniform(-0.5, 0.5)))
            shift = (rng.random(), rng.uniform(0.3, 1.5), gamma)
            self._shifts[key] = shift if rng.random() < _RECOLOURED_SHARE else None
        self._done: dict[tuple[object, bytes], np.ndarray] = {}

    def __call__(self, part: int, palette: np.ndarray) -> np.ndarray:
        key = self._keys[part]
        shift = self._shifts[key]
        if shift is None:
            return palette
        known = (key, palette.tobytes())
        if known not in self._done:
            self._done[known] = shift_colours(palette, *shift)
        return self._done[known]


def _group(index: int, kind: str) -> object:
    if kind in _SKIN_TYPES:
        return "skin"
    return "hair" if kind in _HAIR_TYPES else index


def random_proportions(rng: np.random.Generator, old: Proportions) -> Proportions:
    """Draw another height, width and size of head, on the same ground."""
    tall, wide, head = rng.uniform(0.72, 1.12), rng.uniform(0.78, 1.15), rng.uniform(0.7, 1.2)
    neck = old.feet - (old.feet - old.neck) * tall
    head_height = min((old.neck - old.top) * head, neck - 6)
    head_width = old.head * head_height / (old.neck - old.top)
    if rng.random() >= 0.5:
        head_width *= rng.uniform(0.9, 1.1)
    return Proportions(neck - head_height, neck, old.feet, old.centre, head_width, old.body * wide)


def jitter(rng: np.random.Generator, fitted: Proportions) -> Proportions:
    """Add the error of a fit by eye, of a pixel or so."""
    error = rng.uniform(-1.2, 1.2, 6)
    return Proportions(
        fitted.top + error[0],
        fitted.neck + error[1],
        fitted.feet + error[2] / 2,
        fitted.centre + error[3] / 2,
        fitted.head + 1.5 * error[4],
        fitted.body + 1.5 * error[5],
    )


def darken(picture: Picture, shade: float) -> Picture:
    """Multiply the colours by `shade`."""
    if shade == 1:
        return picture
    out: Picture = picture.copy()
    out[..., :3] = np.round(out[..., :3] * shade)
    return out
