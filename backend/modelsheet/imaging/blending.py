"""Blend RGBA images by the modes of OpenRaster.

Formulas: W3C Compositing and Blending Level 1. Hue, saturation, colour and luminosity weigh
channels as Krita does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
from PIL import Image

_Levels = npt.NDArray[np.float32]
_Mode = Callable[[_Levels, _Levels], _Levels]  # backdrop, source (..., 3) in [0, 1]

NORMAL = "svg:src-over"
_KEEPS_INSIDE = "svg:dst-in"  # the one mode that changes what lies outside of the source
_ROWS = 256  # blended at once: floats take four times the memory
_LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)
_TINY = np.float32(1e-6)


def blend(below: Image.Image, above: Image.Image, mode: str) -> Image.Image:
    """Return the blend of two RGBA images of one size; a mode of `is_known`."""
    if mode == NORMAL:
        return Image.alpha_composite(below, above)
    if mode == _KEEPS_INSIDE:
        return _blended(below, above, mode)
    box = above.getchannel("A").getbbox()
    if box is None:
        return below
    result = below.copy()
    result.paste(_blended(below.crop(box), above.crop(box), mode), box)
    return result


def _blended(below: Image.Image, above: Image.Image, mode: str) -> Image.Image:
    backdrop, source = np.asarray(below), np.asarray(above)
    result = np.empty_like(backdrop)
    for top in range(0, len(result), _ROWS):
        rows = slice(top, top + _ROWS)
        levels = _blend(backdrop[rows] / np.float32(255), source[rows] / np.float32(255), mode)
        result[rows] = (levels.clip(0, 1) * 255).round()
    return Image.fromarray(result)


def is_known(mode: str) -> bool:
    """Tell whether `blend` knows the mode."""
    return mode == NORMAL or mode in _ALPHA or mode in _MODES


def _blend(backdrop: _Levels, source: _Levels, mode: str) -> _Levels:
    """Blend levels (H, W, 4) of straight alpha in [0, 1]."""
    below, above = backdrop[..., 3:], source[..., 3:]
    if mode in _ALPHA:
        part = above if mode == "svg:src-atop" else 0  # what the source covers
        colours = source[..., :3] * part + backdrop[..., :3] * (1 - part)
        return np.concatenate([colours, _ALPHA[mode](below, above)], axis=-1)
    mixed = _MODES[mode](backdrop[..., :3], source[..., :3])
    alpha = above + below - above * below
    colours = (
        source[..., :3] * above * (1 - below)
        + backdrop[..., :3] * below * (1 - above)
        + mixed * above * below
    )
    return np.concatenate([colours / np.maximum(alpha, _TINY), alpha], axis=-1)


def _overlay(b: _Levels, s: _Levels) -> _Levels:
    return _hard_light(s, b)


def _hard_light(b: _Levels, s: _Levels) -> _Levels:
    return np.where(s <= 0.5, 2 * b * s, 1 - 2 * (1 - b) * (1 - s))


def _soft_light(b: _Levels, s: _Levels) -> _Levels:
    root = np.where(b <= 0.25, ((16 * b - 12) * b + 4) * b, np.sqrt(b))
    return np.where(s <= 0.5, b - (1 - 2 * s) * b * (1 - b), b + (2 * s - 1) * (root - b))


def _dodge(b: _Levels, s: _Levels) -> _Levels:
    dodged = np.minimum(1, b / np.maximum(1 - s, _TINY))
    return np.where(b <= 0, 0, dodged).astype(np.float32)


def _burn(b: _Levels, s: _Levels) -> _Levels:
    burnt = 1 - np.minimum(1, (1 - b) / np.maximum(s, _TINY))
    return np.where(b >= 1, 1, burnt).astype(np.float32)


def _luminosity(colours: _Levels) -> _Levels:
    luminosity: _Levels = (colours * _LUMA).sum(axis=-1, keepdims=True)
    return luminosity


def _saturation(colours: _Levels) -> _Levels:
    saturation: _Levels = np.ptp(colours, axis=-1, keepdims=True)
    return saturation


def _with_luminosity(colours: _Levels, luminosity: _Levels) -> _Levels:
    """Return the colours at that luminosity, drawn towards grey where they leave [0, 1]."""
    moved = colours + luminosity - _luminosity(colours)
    low, high = moved.min(axis=-1, keepdims=True), moved.max(axis=-1, keepdims=True)
    lifted = luminosity + (moved - luminosity) * luminosity / np.maximum(luminosity - low, _TINY)
    moved = np.where(low < 0, lifted, moved)
    room = (1 - luminosity) / np.maximum(high - luminosity, _TINY)
    return np.where(high > 1, luminosity + (moved - luminosity) * room, moved)


def _with_saturation(colours: _Levels, saturation: _Levels) -> _Levels:
    low = colours.min(axis=-1, keepdims=True)
    stretched: _Levels = (colours - low) * saturation / np.maximum(_saturation(colours), _TINY)
    return stretched


_ALPHA: Mapping[str, _Mode] = {
    _KEEPS_INSIDE: lambda below, above: below * above,
    "svg:dst-out": lambda below, above: below * (1 - above),
    "svg:src-atop": lambda below, above: below,
}
_MODES: Mapping[str, _Mode] = {
    "svg:multiply": lambda b, s: b * s,
    "svg:screen": lambda b, s: b + s - b * s,
    "svg:overlay": _overlay,
    "svg:darken": np.minimum,
    "svg:lighten": np.maximum,
    "svg:color-dodge": _dodge,
    "svg:color-burn": _burn,
    "svg:hard-light": _hard_light,
    "svg:soft-light": _soft_light,
    "svg:difference": lambda b, s: np.abs(b - s),
    "krita:exclusion": lambda b, s: b + s - 2 * b * s,
    "krita:linear_burn": lambda b, s: np.maximum(0, b + s - 1),
    "krita:linear light": lambda b, s: (b + 2 * s - 1).clip(0, 1),
    "krita:subtract": lambda b, s: np.maximum(0, b - s),
    "krita:divide": lambda b, s: np.where(s > 0, np.minimum(1, b / np.maximum(s, _TINY)), b > 0),
    "krita:pin_light": lambda b, s: np.maximum(2 * s - 1, np.minimum(b, 2 * s)),
    "svg:plus": lambda b, s: np.minimum(1, b + s),
    "svg:color": lambda b, s: _with_luminosity(s, _luminosity(b)),
    "svg:luminosity": lambda b, s: _with_luminosity(b, _luminosity(s)),
    "svg:hue": lambda b, s: _with_luminosity(_with_saturation(s, _saturation(b)), _luminosity(b)),
    "svg:saturation": lambda b, s: _with_luminosity(
        _with_saturation(b, _saturation(s)), _luminosity(b)
    ),
}
